// What the tests of the page "Try it" share.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { open, signIn } from "./browser.mjs";
import { shared } from "./server.mjs";

export const crowd = shared("group", "cf_016_8.jpg"); // of eight

export const image = async (file) => ({ Bytes: (await readFile(file)).toString("base64") });
export const part = (page, name) => page.getByRole("region", { name, exact: true });

/** Goes to a part of the page. The address brings its collection along, which would replace one that is typed before it is there. */
export async function go(page, name) {
  const link = page.getByRole("navigation", { name: "What to do with the picture" }).getByRole("link", { name, exact: true });
  await link.click();
  await link.and(page.locator("[aria-current=page]")).waitFor();
}

/** Opens the page, signed in. */
export async function tryIt(browser, server, { key = server.root, ...options } = {}) {
  const page = await open(browser, server, options);
  await signIn(page, key);
  await page.getByRole("link", { name: "Try it", exact: true }).click();
  await page.getByRole("heading", { name: "Try it" }).waitFor();
  return page;
}

export const choose = (page, file, of = page) => of.locator("input[type=file]").first().setInputFiles(file);

/** The boxes that are drawn on a figure, as ratios of it. */
export const drawn = (figure) => figure.evaluate((element) => {
  const around = element.getBoundingClientRect();
  return [...element.querySelectorAll("rect.over")].map((rect) => {
    const r = rect.getBoundingClientRect();
    return { Left: (r.left - around.left) / around.width, Top: (r.top - around.top) / around.height, Width: r.width / around.width, Height: r.height / around.height };
  });
});

export function near(a, b, most) {
  for (const side of ["Left", "Top", "Width", "Height"]) assert.ok(Math.abs(a[side] - b[side]) <= most, `${side}: ${JSON.stringify(a)} is not near ${JSON.stringify(b)}`);
}
