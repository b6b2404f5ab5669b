// VIEWCAST_URL=http://127.0.0.1:8080/live node --test base_path.test.mjs
// The page of a demo that serves everything below a path.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gatewayUrl, launch, newPage, until, untilLive } from "./chromium.mjs";

test("page_below_a_path_streams_and_reads_its_files", async () => {
  const browser = await launch();
  const { page, faults } = await newPage(browser);
  // Without the slash: the gateway adds it.
  await page.goto(gatewayUrl());
  await untilLive(page, "counter");
  await page.goto(`${gatewayUrl()}/#/counter`);
  const rows = page.locator("table tbody tr:not(.space)");
  await until("the view to have rows", () => rows.count(), (count) => count > 0);
  assert.deepEqual(faults, []);
  await browser.close();
});
