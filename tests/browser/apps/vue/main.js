import { createApp, h, ref } from "vue";
import { useView } from "viewcast/vue";

const Top = {
  setup() {
    const top = useView("/top10/stream", { key: "user", sort: (a, b) => b.count - a.count });
    return () => h("ol", { "data-status": top.value.status }, top.value.rows.map(({ user, count }) => h("li", { key: String(user) }, `${user} ${count}`)));
  },
};
const shown = ref(true);
createApp({ render: () => h("main", [h("button", { id: "toggle", onClick: () => (shown.value = !shown.value) }, "toggle"), shown.value ? h(Top) : null]) }).mount("#root");
