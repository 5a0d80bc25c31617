import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, look, open, signIn } from "./browser.mjs";
import { Server } from "./server.mjs";

const collections = 10_000;
const patience = 4_000; // milliseconds that a person waits without wondering; a tenth of it is usual
let browser, server;
before(async () => {
  [browser, server] = await Promise.all([launch(), Server.start()]);
  let next = 0;
  const work = async () => {
    for (let i = next++; i < collections; i = next++) await server.call("CreateCollection", { CollectionId: name(i) });
  };
  await Promise.all(Array.from({ length: 32 }, work));
});
after(async () => { await browser?.close(); await server?.remove(); });

const name = (i) => `door-${String(i).padStart(5, "0")}`;

/** Does something that a person waits for, and says how long it took. */
async function within(t, what, act) {
  const started = performance.now();
  await act();
  const took = performance.now() - started;
  t.diagnostic(`${what}: ${took.toFixed(0)} ms`);
  assert.ok(took < patience, `${what} took ${took} ms`);
}

test("ten thousand collections", async (t) => {
  const page = await open(browser, server);
  await signIn(page, server.root);
  const rows = page.getByRole("row");
  await t.test("pages of them, with their counts", async (t) => {
    await within(t, "the list from the start, all of its rows filled", async () => {
      await page.reload();
      await page.getByRole("link", { name: name(0) }).waitFor();
      await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 25 && !document.querySelector("tbody").textContent.includes("…"));
    });
    const seen = new Set();
    for (let n = 1; n <= 4; n++) {
      for (const id of await page.locator("tbody th").allTextContents()) seen.add(id);
      await within(t, `page ${n + 1}`, async () => {
        await page.getByRole("button", { name: "Next" }).click();
        await page.getByRole("link", { name: name(25 * n) }).waitFor();
      });
    }
    assert.deepEqual([...seen], Array.from({ length: 100 }, (_, i) => name(i)));
    await look(page, "collections-many");
    await page.getByRole("button", { name: "First" }).click();
    await page.getByRole("link", { name: name(0) }).waitFor();
    assert.equal(await rows.count(), 26);
  });
  await t.test("the last of them is found by a part of its name", async (t) => {
    await within(t, "found among all", async () => {
      await page.getByPlaceholder("Find by name").fill("09999");
      await page.getByText("1 with “09999”").waitFor();
    });
    await page.getByPlaceholder("Find by name").fill("door");
    await page.getByText("The first 50 with “door”").waitFor();
    await look(page, "collections-many-found");
    await page.getByPlaceholder("Find by name").fill("9999");
    await page.getByRole("link", { name: name(9999) }).click();
    await page.getByRole("heading", { name: name(9999) }).waitFor();
  });
  await t.test("the field for one suggests it", async (t) => {
    await page.getByRole("link", { name: "Try it", exact: true }).click();
    const suggested = () => page.locator("#collections-known option").evaluateAll((options) => options.map((o) => o.value));
    await page.waitForFunction(() => document.querySelectorAll("#collections-known option").length === 50);
    await within(t, "suggested", async () => {
      await page.getByRole("combobox", { name: "Collection" }).fill("0999");
      await page.waitForFunction((wanted) => [...document.querySelectorAll("#collections-known option")].some((o) => o.value === wanted), name(9999));
    });
    assert.deepEqual(await suggested(), [name(999), ...Array.from({ length: 10 }, (_, i) => name(9990 + i))]);
  });
  page.check_();
  await page.context().close();
});
