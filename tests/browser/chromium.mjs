// The real Chromium, and a page that keeps account of everything that went wrong on it.
import { chromium } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** How long a panel may take to show data or a change, in ms: generous, since CI machines are slow. */
export const PATIENCE_MS = 30_000;

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

/** The gateway under test; whoever runs the tests starts it. */
export function gatewayUrl() {
  const url = process.env.VIEWCAST_URL;
  if (!url) throw new Error("VIEWCAST_URL is not set: start `viewcast demo` and give its address, e.g. VIEWCAST_URL=http://127.0.0.1:8080");
  return url.replace(/\/$/, "");
}

/** A new page; `faults` fills with console errors and warnings, exceptions and violations of the policy. */
export async function newPage(browser, { width = 1280, height = 800, colorScheme = "dark", reducedMotion = "no-preference" } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  return { context, ...(await newTab(context)), close: () => context.close() };
}

/** Another tab of the same browser. */
export async function newTab(context) {
  const page = await context.newPage();
  const faults = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`exception: ${error.stack}`));
  await page.exposeFunction("reportViolation", (text) => faults.push(`policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => window.reportViolation(`${event.violatedDirective} ${event.blockedURI}`));
  });
  return { page, faults };
}

/** View name -> how many subscribers the gateway counts. The worker's requests are not among a page's. */
export async function subscribers(url) {
  const { views } = await (await fetch(`${url}/views`)).json();
  return Object.fromEntries(views.map(({ name, subscribers: count }) => [name, count]));
}

/** Asks until `read` gives something that `accept` takes, and gives that. */
export async function until(what, read, accept = Boolean) {
  const end = Date.now() + PATIENCE_MS;
  for (let value; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    value = await read();
    if (accept(value)) return value;
    if (Date.now() > end) throw new Error(`waited ${PATIENCE_MS} ms for ${what}; last seen: ${JSON.stringify(value)?.slice(0, 500)}`);
  }
}

export const panel = (page, view) => page.locator(`[data-view="${view}"]:visible`);

/** Waits until a view's panel is live. */
export const untilLive = (page, view) =>
  until(`${view} to be live`, () => panel(page, view).locator(".status").first().getAttribute("data-status"), (status) => status === "live");

/** What a reader sees in a panel's body: its text, and where its shapes stand. */
export const picture = (page, view) =>
  panel(page, view).locator(".body").evaluate((body) => {
    const shapes = [...body.querySelectorAll("path, rect, .bar, .strip, .treemap li")];
    return [body.innerText, ...shapes.map((node) => `${node.getAttribute("d") ?? ""}${node.getAttribute("height") ?? ""}${node.style.cssText}`)].join("\n");
  });
