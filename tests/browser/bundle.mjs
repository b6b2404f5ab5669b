// The apps of apps/, as projects that have viewcast from npm: packed, unpacked, and bundled by Vite.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** A project with its node_modules; `build` gives the folder of an app's bundle, for a site that serves it at /APP/. */
export function makeProject() {
  const root = mkdtempSync(join(tmpdir(), "viewcast-apps-"));
  cpSync(at("apps"), root, { recursive: true });
  const modules = join(root, "node_modules");
  mkdirSync(join(modules, "viewcast"), { recursive: true });
  const [{ filename }] = JSON.parse(execFileSync("npm", ["pack", at("../../web"), "--json", "--silent", "--offline"], { cwd: root, encoding: "utf8" }));
  execFileSync("tar", ["xzf", filename, "-C", join(modules, "viewcast"), "--strip-components=1"], { cwd: root });
  for (const name of readdirSync(at("node_modules"))) if (name !== "viewcast" && !name.startsWith(".")) symlinkSync(join(at("node_modules"), name), join(modules, name));
  return {
    root,
    async build(app) {
      const { build } = await import("vite");
      const outDir = join(root, "dist", app);
      await build({ root: join(root, app), base: `/${app}/`, logLevel: "warn", configFile: false, build: { outDir } });
      // It says "production" from now on, and React would reload no component.
      delete process.env.NODE_ENV;
      return outDir;
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}
