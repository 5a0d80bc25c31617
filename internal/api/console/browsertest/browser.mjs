// A browser for the tests, and what they ask of every page.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { chromium } from "playwright-core";
import { root } from "./server.mjs";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const screenshots = path.join(root, ".cache", "console-screenshots");
const axe = (await import("node:fs")).readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

/** Starts the browser, with further flags. The caller closes it. */
export async function launch(...flags) {
  await mkdir(screenshots, { recursive: true });
  return chromium.launch({
    executablePath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
      "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", ...flags],
  });
}

/**
 * Opens the console in a new tab. Whatever the page does, it must load nothing from elsewhere, break no rule of its content security policy, and
 * throw nothing; check tells. Requests that the test lets fail on purpose are named in expected.
 */
export async function open(browser, server, { expected = [], ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options });
  await context.grantPermissions(["clipboard-read", "clipboard-write", "camera"], { origin: server.url });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(`thrown: ${error.stack}`));
  page.on("console", (message) => {
    // The browser reports answers with an error's status itself. Those are shown by the page, or fail a test.
    if (["error", "warning"].includes(message.type()) && !/Failed to load resource|net::ERR_/.test(message.text())) wrong.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(server.url + "/") && !request.url().startsWith("blob:" + server.url)) wrong.push(`asks for ${request.url()}`);
  });
  page.check_ = () => {
    const unexpected = wrong.filter((text) => !expected.some((pattern) => pattern.test(text)));
    assert.deepEqual(unexpected, []);
  };
  await page.goto(server.url + "/console/");
  return page;
}

/** Signs in by the form, and waits for the first page. */
export async function signIn(page, key) {
  await page.getByLabel("Access key id").fill(key.id);
  await page.getByLabel("Secret access key").fill(key.secret);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
}

/** Keeps a picture of the page, and asks of it what every page owes: that axe finds no fault, and that it is no wider than the window. */
export async function look(page, name) {
  await page.screenshot({ path: path.join(screenshots, name + ".png"), fullPage: true });
  await page.evaluate(axe);
  const faults = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] });
    return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => `${n.target} ${n.any[0]?.message ?? ""}`).join("; ")}`);
  });
  assert.deepEqual(faults, [], `accessibility of ${name}`);
  const [scroll, width] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(scroll <= width, `${name} is ${scroll} pixels wide in a window of ${width}`);
  page.check_();
}
