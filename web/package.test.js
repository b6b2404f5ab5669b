// node --test web/package.test.js
// What npm would publish: packed, unpacked into an empty project, used there
// by Node and by TypeScript, looked at by publint and "are the types wrong". Needs tests/browser/node_modules (`make prepare`).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { before, after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const WEB = fileURLToPath(new URL(".", import.meta.url));
const TYPES = fileURLToPath(new URL("../tests/browser/viewcast.types.ts", import.meta.url));
const MODULES = fileURLToPath(new URL("../tests/browser/node_modules/", import.meta.url));
const TSC = join(MODULES, "typescript/bin/tsc");
/** What a page loads for one view, gzipped, in bytes. */
const SIZE_MAX = 9 * 1024;
/** What npm downloads, in bytes: the sources with their comments, types, README and licences. */
const PACKED_MAX = 40 * 1024;

let project;
let packed;
/** Runs a program in the project; what it says comes with the failure. */
function run(program, ...args) {
  try {
    return execFileSync(program, args, { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    throw new Error(`${program} ${args.join(" ")}\n${error.stdout}\n${error.stderr}`);
  }
}

before(() => {
  project = mkdtempSync(join(tmpdir(), "viewcast-"));
  [packed] = JSON.parse(run("npm", "pack", WEB, "--json", "--silent", "--offline"));
  const home = join(project, "node_modules", "viewcast");
  mkdirSync(home, { recursive: true });
  run("tar", "xzf", packed.filename, "-C", home, "--strip-components=1");
  writeFileSync(join(project, "package.json"), '{"type":"module"}');
});
after(() => rmSync(project, { recursive: true }));

test("package_has_what_it_needs_and_nothing_else", () => {
  assert.deepEqual(packed.files.map(({ path }) => path).sort(), [
    "LICENSE-APACHE", "LICENSE-MIT", "README.md", "package.json",
    "viewcast.core.js", ...["", ".persist", ".react", ".tanstack-db", ".vue", ".worker"].flatMap((entry) => [`viewcast${entry}.d.ts`, `viewcast${entry}.js`]),
  ].sort());
  const manifest = JSON.parse(readFileSync(join(WEB, "package.json"), "utf8"));
  assert.equal(manifest.dependencies, undefined);
  console.log(`${packed.size} bytes packed, ${packed.unpackedSize} unpacked`);
  assert.ok(packed.size < PACKED_MAX, `${packed.size} bytes packed`);
  const version = readFileSync(join(WEB, "../Cargo.toml"), "utf8").match(/^version = "(.*)"/m)[1];
  assert.equal(manifest.version, version, "the gateway's version");
});

test("package_is_imported_by_its_name", () => {
  const script = 'import { ViewStream, WIRE } from "viewcast"; console.log(typeof ViewStream, WIRE.base)';
  assert.equal(run(process.execPath, "--input-type=module", "--eval", script), "function base\n");
});

test("entries_are_imported_by_their_names_and_open_nothing", () => {
  const script = 'const { forget } = await import("viewcast/persist"); await import("viewcast/worker"); console.log(typeof forget)';
  assert.equal(run(process.execPath, "--input-type=module", "--eval", script), "function\n");
});

test("publint_and_are_the_types_wrong_find_nothing", () => {
  const said = run(process.execPath, join(MODULES, "publint/src/cli.js"), "--strict", join(project, "node_modules/viewcast"));
  assert.match(said, /All good/);
  // By "require" it can be had from Node 22 on, which this tool does not count.
  run(process.execPath, join(MODULES, "@arethetypeswrong/cli/dist/index.js"), packed.filename, "--profile", "esm-only", "--no-definitely-typed");
});

test("file_to_copy_is_made_of_the_module_and_small", async () => {
  const { NAMES, builtOf, minified } = await import("./build.mjs");
  for (const name of NAMES) assert.equal(readFileSync(builtOf(name), "utf8"), await minified(name), "made anew by node web/build.mjs");
  const size = gzipSync(readFileSync(builtOf("viewcast")), { level: 9 }).length;
  console.log(`${size} bytes gzipped, of ${SIZE_MAX}`);
  assert.ok(size < SIZE_MAX, `${size} bytes gzipped`);
  const [own, copied] = await Promise.all([import("./viewcast.js"), import(builtOf("viewcast"))]);
  assert.deepEqual(Object.keys(copied), Object.keys(own));
});

test("worker_loads_nothing_more_and_does_not_have_itself_inside", () => {
  // Vite 7 makes no bundle of a page whose worker does.
  const texts = [readFileSync(join(WEB, "viewcast.worker.js"), "utf8")];
  for (const text of texts) for (const [, file] of text.matchAll(/from "\.\/(.*)"/g)) texts.push(readFileSync(join(WEB, file), "utf8"));
  assert.equal(texts.length, 2, "the core alone");
  for (const text of texts) assert.doesNotMatch(text, /\bimport\(|new SharedWorker|import\.meta/);
});

test("types_need_no_library_of_the_dom", () => {
  writeFileSync(join(project, "nodom.ts"), 'import { ViewStream } from "viewcast"; const view = new ViewStream<{ n: number }>("https://x/v/stream"); view.subscribe(({ rows }) => rows[0]?.n);');
  run(process.execPath, TSC, "--noEmit", "--strict", "--target", "es2022", "--lib", "es2022", "--module", "nodenext", "nodom.ts");
});

test("types_hold_what_they_promise", () => {
  writeFileSync(join(project, "use.ts"), readFileSync(TYPES));
  const strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--target", "es2022", "--lib", "es2022,dom,dom.iterable"];
  for (const [module, resolution] of [["esnext", "bundler"], ["nodenext", "nodenext"]]) {
    run(process.execPath, TSC, ...strict, "--module", module, "--moduleResolution", resolution, "use.ts");
  }
});

test("types_of_the_bindings_hold_what_they_promise", () => {
  for (const name of readdirSync(MODULES)) if (name !== "viewcast" && !name.startsWith(".")) symlinkSync(join(MODULES, name), join(project, "node_modules", name));
  writeFileSync(join(project, "bindings.ts"), readFileSync(new URL("../tests/browser/bindings.types.ts", import.meta.url)));
  run(process.execPath, TSC, "--noEmit", "--strict", "--skipLibCheck", "--exactOptionalPropertyTypes", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--module", "nodenext", "bindings.ts");
});

test("types_and_module_name_the_same_members", async () => {
  const { ViewStream } = await import("./viewcast.js");
  const declared = readFileSync(join(WEB, "viewcast.d.ts"), "utf8").match(/declare class ViewStream[^]*/)[0];
  const members = Object.getOwnPropertyNames(ViewStream.prototype).filter((name) => name !== "constructor");
  for (const name of members) assert.match(declared, new RegExp(`(readonly |^  )${name}[(:<]`, "m"), name);
});
