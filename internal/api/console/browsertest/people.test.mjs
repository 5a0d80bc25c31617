import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, look, open, phone, signIn } from "./browser.mjs";
import { noPictures, people, Server } from "./server.mjs";
import { image } from "./tryit.mjs";

const skip = noPictures;
let browser, server, persons;
before(async () => {
  if (skip) return;
  [browser, server] = await Promise.all([launch(), Server.start("--thumbnails")]);
  persons = (await people(4)).slice(0, 3);
  await server.call("CreateCollection", { CollectionId: "people" });
  for (const [i, { name, pictures }] of persons.entries()) {
    // Four of the first, three of the second, two of the third.
    for (const [n, picture] of pictures.slice(0, 4 - i).entries()) {
      await server.call("IndexFaces", { CollectionId: "people", ExternalImageId: `${name}-${n}`, MaxFaces: 1, Image: await image(picture) });
    }
  }
});
after(async () => { await browser?.close(); await server?.remove(); });

/** Opens the groups of the collection, once they are there. */
async function groupsOf(key, options = {}) {
  const page = await open(browser, server, options);
  await signIn(page, key);
  await page.getByRole("link", { name: "people", exact: true }).click();
  await page.getByRole("link", { name: "People", exact: true }).click();
  await page.getByText("9 faces without a user", { exact: false }).waitFor();
  return page;
}

const group = (page, n) => page.getByRole("listitem", { name: `Group ${n}`, exact: true });
const faces = (page, n) => page.getByRole("list", { name: `Faces of group ${n}`, exact: true }).getByRole("listitem");
const undo = (page) => page.getByRole("button", { name: "Undo" }).click();
const users = async () => (await server.call("ListUsers", { CollectionId: "people" })).Users.map((u) => u.UserId);
const facesOf = async (user) => (await server.call("ListFaces", { CollectionId: "people", UserId: user })).Faces.map((f) => f.ExternalImageId).sort();

/** Waits until the groups have so many faces each. */
async function sizes(page, want) {
  await page.waitForFunction((text) => [...document.querySelectorAll("ul.wall")].map((wall) => wall.children.length).join() === text, want.join());
}

test("groups of faces become people", { skip }, async (t) => {
  const page = await groupsOf(server.root);
  await t.test("each person is a group, with its faces", async () => {
    await sizes(page, [4, 3, 2]);
    for (const [i, { name }] of persons.entries()) {
      for (const text of await faces(page, i + 1).allTextContents()) assert.match(text, new RegExp(`^${name}-\\d$`));
    }
    await page.waitForFunction(() => [...document.querySelectorAll(".wall img")].filter((img) => img.naturalWidth === 112).length === 9);
    await look(page, "people");
  });
  await t.test("a group becomes a user, and undo takes it back", async () => {
    await group(page, 2).getByRole("textbox").fill("bert");
    await group(page, 2).getByRole("button", { name: "Make user" }).click();
    await page.getByText("3 faces given to the user bert.").waitFor();
    await sizes(page, [4, 2]);
    assert.deepEqual(await facesOf("bert"), [0, 1, 2].map((n) => `${persons[1].name}-${n}`));
    await look(page, "people-user-made");
    await undo(page);
    await sizes(page, [4, 3, 2]);
    assert.deepEqual(await users(), []);
  });
  await t.test("faces are split off, and two groups are merged, and both undone", async () => {
    await faces(page, 1).nth(0).getByRole("button").click();
    await faces(page, 1).nth(3).getByRole("button").click();
    await look(page, "people-split");
    await group(page, 1).getByRole("button", { name: "Split off 2 faces" }).click();
    await sizes(page, [2, 2, 3, 2]);
    await page.getByText("2 faces split off.").waitFor();
    await group(page, 1).getByRole("checkbox").check();
    await group(page, 2).getByRole("checkbox").check();
    await look(page, "people-merge");
    await page.getByRole("group", { name: "Marked groups" }).getByRole("button", { name: "Merge" }).click();
    await sizes(page, [4, 3, 2]);
    await undo(page);
    await sizes(page, [2, 2, 3, 2]);
    await undo(page);
    await sizes(page, [4, 3, 2]);
    assert.equal(await page.getByRole("button", { name: "Undo" }).count(), 0);
  });
  await t.test("a group that is put aside stays so, and can be taken back", async () => {
    await group(page, 3).getByRole("button", { name: "Put aside" }).click();
    await sizes(page, [4, 3]);
    await undo(page);
    await sizes(page, [4, 3, 2]);
    await group(page, 3).getByRole("button", { name: "Put aside" }).click();
    await sizes(page, [4, 3]);
    await page.reload();
    await sizes(page, [4, 3]);
    await page.getByRole("button", { name: "1 group put aside" }).click();
    await sizes(page, [2]);
    await look(page, "people-aside");
    await page.getByRole("button", { name: "Take back" }).click();
    await page.getByText("No group is put aside.").waitFor();
    await page.getByRole("button", { name: "Back to the groups" }).click();
    await sizes(page, [4, 3, 2]);
  });
  await t.test("a group is given to a user that is there, and undo leaves the user as it was", async () => {
    await server.call("CreateUser", { CollectionId: "people", UserId: "anna" });
    const { Faces } = await server.call("ListFaces", { CollectionId: "people" });
    const first = Faces.find((f) => f.ExternalImageId === `${persons[0].name}-0`).FaceId;
    await server.call("AssociateFaces", { CollectionId: "people", UserId: "anna", FaceIds: [first] });
    await page.reload();
    // Of two groups of equal size the one of the older faces is first.
    await sizes(page, [3, 3, 2]);
    await group(page, 1).getByRole("textbox").fill("anna");
    await group(page, 1).getByRole("button", { name: "Make user" }).click();
    await page.getByText("3 faces given to the user anna.").waitFor();
    assert.equal((await facesOf("anna")).length, 4);
    await undo(page);
    await sizes(page, [3, 3, 2]);
    assert.deepEqual(await facesOf("anna"), [`${persons[0].name}-0`]);
    await server.call("DeleteUser", { CollectionId: "people", UserId: "anna" });
  });
  await t.test("a threshold that no two pictures reach leaves no group", async () => {
    await page.getByRole("slider").fill("100");
    await page.getByText("No two faces without a user are similar enough.").waitFor();
    await page.getByRole("slider").fill("95");
    await sizes(page, [4, 3, 2]);
  });
  await page.context().close();
  await t.test("in the dark, and on a phone", async () => {
    for (const [name, options] of [["people-dark", { colorScheme: "dark" }], ["people-phone", phone], ["people-phone-dark", { ...phone, colorScheme: "dark" }]]) {
      const other = await groupsOf(server.root, options);
      await sizes(other, [4, 3, 2]);
      await other.waitForFunction(() => [...document.querySelectorAll(".wall img")].filter((img) => img.naturalWidth === 112).length === 9);
      await look(other, name);
      await other.context().close();
    }
  });
  await t.test("a key that only reads sees the groups, and makes no user", async () => {
    const other = await groupsOf(await server.createKey("reader", "read-only"));
    await sizes(other, [4, 3, 2]);
    assert.equal(await other.getByRole("button", { name: "Make user" }).count(), 0);
    assert.equal(await other.locator(".wall img").count(), 0);
    await look(other, "people-read-only");
    await other.context().close();
  });
});
