// Collections of whole views, and one of which only what queries ask for is loaded.
import { and, createCollection, createLiveQueryCollection, eq, gt, inArray } from "@tanstack/db";
import { viewcastCollectionOptions } from "viewcast/tanstack-db";

const best = createCollection(viewcastCollectionOptions({ id: "top", url: "/top10/stream", key: "user" }));
const pages = createCollection(viewcastCollectionOptions({ id: "pages", url: "/page_edits/stream", key: ["user", "page", "wiki"], syncMode: "on-demand", filterable: ["wiki", "user"] }));
const missing = createCollection(viewcastCollectionOptions({ id: "missing", url: "/nope/stream", key: "id" }));

const wiki = (name) => createLiveQueryCollection((query) => query.from({ page: pages }).where(({ page }) => and(eq(page.wiki, name), gt(page.edits, 1))));
Object.assign(window, {
  best, pages, missing, wiki,
  some: (names) => createLiveQueryCollection((query) => query.from({ page: pages }).where(({ page }) => inArray(page.wiki, names))),
  follow: (collection) => collection.subscribeChanges(() => {}, { includeInitialState: true }),
});
