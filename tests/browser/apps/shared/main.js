// Streams that all tabs share: of one view, and of two.
import { ViewStream } from "viewcast";

window.view = new ViewStream("/page_edits/stream", { shared: true });
window.both = new ViewStream("/stream?view=counter&view=edits_by_language", { shared: true });
