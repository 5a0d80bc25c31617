import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, look, open, phone, signIn } from "./browser.mjs";
import { noPictures, people, Server } from "./server.mjs";
import { choose, go, image, part, tryIt } from "./tryit.mjs";

const skip = noPictures;
let browser, server, persons;
before(async () => {
  if (skip) return;
  [browser, server] = await Promise.all([launch(), Server.start("--thumbnails")]);
  persons = (await people(3)).slice(0, 5);
  await server.call("CreateCollection", { CollectionId: "people" });
  for (const { name, pictures } of persons) await server.call("IndexFaces", { CollectionId: "people", ExternalImageId: name, MaxFaces: 1, Image: await image(pictures[0]) });
});
after(async () => { await browser?.close(); await server?.remove(); });

const thumbnails = (page) => page.getByRole("img", { name: "The face as it was indexed" });

/** Opens the collection's faces, by a key. */
async function list(key, options = {}) {
  const page = await open(browser, server, options);
  await signIn(page, key);
  await page.getByRole("link", { name: "people", exact: true }).click();
  await page.getByRole("row", { name: new RegExp(persons[0].name) }).waitFor();
  return page;
}

test("a server that keeps thumbnails", { skip }, async (t) => {
  await t.test("shows them in the list of faces", async () => {
    for (const [name, options] of [["thumbnails", {}], ["thumbnails-phone", phone]]) {
      const page = await list(server.root, options);
      await page.waitForFunction((n) => [...document.querySelectorAll("tbody img")].filter((img) => img.naturalWidth === 112 && img.naturalHeight === 112).length === n, persons.length);
      const outside = await page.locator("tbody img").evaluateAll((images) => images.filter((img) => {
        const [a, b] = [img.getBoundingClientRect(), img.parentElement.getBoundingClientRect()];
        return Math.abs(a.left - b.left) > 1 || Math.abs(a.top - b.top) > 1;
      }).length);
      assert.equal(outside, 0, "thumbnails lie beside their places");
      await look(page, name);
      await page.context().close();
    }
  });
  await t.test("and with what a search finds", async () => {
    const page = await tryIt(browser, server);
    await choose(page, persons[0].pictures[1]);
    await go(page, "Search");
    await page.getByRole("combobox", { name: "Collection" }).fill("people");
    const search = part(page, "Search");
    await search.getByRole("button", { name: "Search" }).click();
    await thumbnails(search).waitFor();
    assert.equal(await search.getByRole("heading", { name: persons[0].name }).count(), 1);
    await look(page, "thumbnails-search");
    await page.context().close();
  });
  await t.test("but to nobody who may not see them", async () => {
    const page = await list(await server.createKey("colleague", "full-access"));
    assert.equal(await page.getByRole("columnheader", { name: "Picture" }).count(), 0);
    assert.equal(await thumbnails(page).count(), 0);
    page.check_();
    await page.context().close();
  });
  /** Starts the server with other flags. */
  const restart = async (...flags) => {
    await server.close();
    server.flags = flags;
    await server.reopen();
  };
  const inOverview = async (page) => {
    await page.getByRole("link", { name: "Overview" }).click();
    const fact = page.locator("dl.facts > div").filter({ has: page.getByText("Thumbnails", { exact: true }) });
    return fact.locator("dd").textContent();
  };
  await t.test("hides them without --thumbnails, and the overview says why", async () => {
    await restart();
    const page = await list(server.root);
    assert.equal(await page.getByRole("columnheader", { name: "Picture" }).count(), 0);
    assert.match(await inOverview(page), /^kept from earlier runs, not shown: the server runs without --thumbnails$/);
    await look(page, "thumbnails-hidden");
    await page.context().close();
  });
  await t.test("shows them again with it", async () => {
    await restart("--thumbnails");
    const page = await list(server.root);
    await page.waitForFunction((n) => document.querySelectorAll("tbody img").length === n, persons.length);
    assert.equal(await inOverview(page), "made and shown");
    await page.context().close();
  });
  await t.test("and deletes them with --delete-thumbnails alone", async () => {
    await restart("--delete-thumbnails");
    assert.match(server.log, new RegExp(`deleted=${persons.length}\\b`));
    const page = await list(server.root);
    assert.match(await inOverview(page), /^none: /);
    await page.context().close();
    await restart("--thumbnails");
    const again = await list(server.root);
    assert.equal(await again.getByRole("columnheader", { name: "Picture" }).count(), 1);
    assert.equal(await thumbnails(again).count(), 0, "they are deleted");
    await again.context().close();
  });
});
