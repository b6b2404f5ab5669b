// VIEWCAST_URL=http://127.0.0.1:8080 VIEWCAST_SECRET=... node --test own_rows.test.mjs
// The README's example of each user's own rows, from token to table, as it stands
// there: in Node and in a real Chromium on a page of the gateway's origin.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gatewayUrl, launch, newPage, until } from "./chromium.mjs";

const document = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
const section = document.split("## Authentication")[1];
const block = (language) => section.match(new RegExp("```" + language + "\\n([^]*?)```"))[1];
const url = gatewayUrl();

/** The cookie that the document's code sets. */
function cookieOf(user) {
  let set;
  const response = { setHeader: (name, value) => { assert.equal(name, "Set-Cookie"); set = value; } };
  new Function("user", "secret", "response", "createHmac", block("mjs"))(user, process.env.VIEWCAST_SECRET, response, createHmac);
  const [, name, value] = set.match(/^(\w+)=([^;]+);/);
  return { name, value, url };
}

test("authentication_example_shows_each_user_the_rows_of_theirs", async () => {
  const lines = ["toml", "mjs", "html"].flatMap((language) => block(language).trim().split("\n"));
  const code = lines.filter((line) => !["</script>", "<table"].some((frame) => line.startsWith(frame)));
  assert.ok(code.length <= 10, `${code.length} lines`);
  const browser = await launch();
  const tables = [];
  for (const user of ["ThitxongkhoiAWB", "Cyberbot I", "nobody\u0000 of that name"]) {
    const { page, context, faults, close } = await newPage(browser);
    await context.addCookies([cookieOf(user)]);
    const html = `<!doctype html><link rel="icon" href="data:,">${block("html")}`;
    await page.route(`${url}/readme-example`, (route) => route.fulfill({ contentType: "text/html", body: html }));
    const based = page.waitForResponse((response) => response.url().includes("/user_edits/stream"));
    await page.goto(`${url}/readme-example`);
    assert.equal((await based).status(), 200);
    const read = () => page.locator("#mine").innerText();
    if (!user.startsWith("nobody")) await until(`a row of ${user}`, read);
    tables.push((await read()).split("\t")[0]);
    assert.equal((await read()).split("\n").filter(Boolean).length, user.startsWith("nobody") ? 0 : 1);
    // Whatever is asked for.
    const rows = await page.evaluate(async () => (await fetch("/user_edits")).json());
    assert.deepEqual(rows.map((row) => row.user), user.startsWith("nobody") ? [] : [user]);
    assert.deepEqual(faults, []);
    await close();
  }
  assert.deepEqual(tables, ["ThitxongkhoiAWB", "Cyberbot I", ""]);
  await browser.close();
});
