// node web/build.mjs
// Makes viewcast.min.js and viewcast.worker.min.js of the sources, each one file with the core inside: what the gateway
// serves, and what to copy into a page without a bundler. They are in the repository because the gateway, built by
// cargo alone, embeds them; web/package.test.js asserts that they are what this makes. Needs
// tests/browser/node_modules (`make prepare`).
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const NOTICE = "/*! viewcast, MIT OR Apache-2.0; made of web/viewcast.*.js, which have the comments */";
const inTests = createRequire(new URL("../tests/browser/node_modules/vite/package.json", import.meta.url));
const { rolldown } = await import(pathToFileURL(inTests.resolve("rolldown")));

/** What is built: "viewcast" and "viewcast.worker". */
export const NAMES = ["viewcast", "viewcast.worker"];
export const builtOf = (name) => new URL(`${name}.min.js`, import.meta.url);

export async function minified(name) {
  const bundle = await rolldown({ input: fileURLToPath(new URL(`${name}.js`, import.meta.url)), external: /viewcast\.persist/ });
  const { output: [{ code }] } = await bundle.generate({ minify: true });
  await bundle.close();
  return `${NOTICE}\n${code.trim()}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) for (const name of NAMES) writeFileSync(builtOf(name), await minified(name));
