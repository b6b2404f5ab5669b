// A table of the pages of one Wikipedia, as a reader of the README would write it.
import { useState } from "react";
import { useSnapshot, useView, useViewStream } from "viewcast/react";

const LABEL = "pages";

function Pages({ wiki }) {
  const { rows, status, error } = useView("/page_edits/stream", {
    filter: { wiki },
    key: ["user", "page", "wiki"],
    sort: (a, b) => b.edits - a.edits || (a.page < b.page ? -1 : 1),
    limit: 20,
  });
  return (
    <section>
      <p id="status">{error?.message ?? status}</p>
      <table><tbody>{rows.map((row) => <tr key={`${row.user} ${row.page}`}><td>{row.page}</td><td>{row.wiki}</td><td>{row.edits}</td></tr>)}</tbody></table>
    </section>
  );
}

function Sum() {
  const both = useViewStream("/stream?view=counter&view=edits_by_language");
  const [counter, languages] = ["counter", "edits_by_language"].map((name) => both.view(name));
  const [total] = useSnapshot(counter).rows;
  const { rows } = useSnapshot(languages);
  return <p id="sum">{total && rows.length > 0 ? total.edits - rows.reduce((sum, { edits }) => sum + edits, 0) : "?"}</p>;
}

export function App() {
  const [wiki, setWiki] = useState("en");
  const [shown, setShown] = useState(true);
  return (
    <main>
      <h1>{LABEL}</h1>
      <button id="toggle" onClick={() => setShown(!shown)}>toggle</button>
      <button id="other" onClick={() => setWiki("de")}>de</button>
      {shown && <Pages wiki={wiki} />}
      {shown && <Sum />}
    </main>
  );
}
