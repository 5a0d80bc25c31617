import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launch, look, open, phone, signIn } from "./browser.mjs";
import { noPictures, people, Server } from "./server.mjs";

const pageSize = 50; // of the console's list of faces
let browser, server;
before(async () => { if (!noPictures) [browser, server] = await Promise.all([launch(), Server.start()]); });
after(async () => { await browser?.close(); await server?.remove(); });

test("a collection's faces and users", { skip: noPictures }, async (t) => {
  await server.call("CreateCollection", { CollectionId: "people" });
  const chosen = (await people(3)).slice(0, 18);
  const files = chosen.flatMap(({ name, pictures }) => pictures.slice(0, 3).map((file) => ({ name, file })));
  assert.ok(files.length > pageSize, "there is more than one page");
  for (const [i, { name, file }] of files.entries()) {
    const { FaceRecords } = await server.call("IndexFaces", {
      CollectionId: "people", ExternalImageId: `${name}-${i % 3}`, MaxFaces: 1, Image: { Bytes: (await readFile(file)).toString("base64") },
    });
    assert.equal(FaceRecords.length, 1, file);
  }
  const anna = chosen[0].name, bert = chosen[1].name;
  const page = await open(browser, server);
  await signIn(page, server.root);
  const facts = page.locator(".facts");

  await t.test("pages of faces", async () => {
    await page.getByRole("link", { name: "people" }).click();
    await page.getByText("Page 1").waitFor();
    assert.equal(await page.getByRole("row").count(), pageSize + 1);
    const first = await page.getByRole("row").nth(1).textContent();
    await look(page, "collection-faces");
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText("Page 2").waitFor();
    await page.waitForFunction((rest) => document.querySelectorAll("tbody tr").length === rest, files.length - pageSize);
    assert.notEqual(await page.getByRole("row").nth(1).textContent(), first);
    assert.equal(await page.getByRole("button", { name: "Next" }).isDisabled(), true);
    await page.getByRole("button", { name: "Previous" }).click();
    await page.getByText("Page 1").waitFor();
  });
  await t.test("faces are found by a part of the external id", async () => {
    await page.getByPlaceholder("External id contains").fill(anna.toLowerCase());
    await page.getByText(`3 with “${anna.toLowerCase()}”`).waitFor();
    assert.equal(await page.getByRole("row").count(), 4);
    await look(page, "collection-filter");
  });
  await t.test("associate with a new user", async () => {
    await page.getByLabel("Mark all faces of this page").check();
    await page.getByText("3 faces marked").waitFor();
    await page.getByRole("button", { name: "Associate with a user" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("combobox", { name: "User" }).fill("anna");
    await dialog.getByText("A new user, who will be created").waitFor();
    await look(page, "collection-associate");
    // A threshold that no two pictures reach: the server must have the last word, and the page must tell.
    await dialog.getByLabel("Least similarity").fill("50");
    await dialog.getByRole("button", { name: "Associate" }).click();
    await page.getByText("The user anna was created. 3 faces associated with anna.").waitFor();
    assert.equal((await server.call("ListFaces", { CollectionId: "people", UserId: "anna" })).Faces.length, 3);
    await facts.getByText("1", { exact: true }).waitFor();
  });
  await t.test("a stranger's face is refused, and the page says why", async () => {
    await page.getByPlaceholder("External id contains").fill(bert);
    await page.getByLabel(`Mark ${bert}-0`).check();
    await page.getByRole("button", { name: "Associate with a user" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("combobox", { name: "User" }).fill("anna");
    await dialog.getByLabel("Least similarity").fill("99");
    await dialog.getByRole("button", { name: "Associate" }).click();
    await page.getByText(`${bert}-0 was left as it was: it is not similar enough to the user's faces`).waitFor();
    await page.getByText("0 faces associated with anna.").waitFor();
  });
  await t.test("a face of a user is not deleted, and the page says why", async () => {
    await page.getByPlaceholder("External id contains").fill(anna);
    await page.getByLabel(`Mark ${anna}-0`).check();
    await page.getByRole("group", { name: "Marked faces" }).getByRole("button", { name: "Delete" }).click();
    await look(page, "collection-delete-faces");
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText(`${anna}-0 was left as it was: it belongs to a user: disassociate it first.`).waitFor();
  });
  await t.test("users, and the faces of one", async () => {
    await page.getByRole("link", { name: "Users" }).click();
    await page.getByRole("button", { name: "New user" }).waitFor(); // and the faces, of which some are anna's, are gone
    await page.getByRole("row", { name: /anna/ }).waitFor();
    await page.getByRole("button", { name: "New user" }).click();
    await page.getByRole("dialog").getByLabel("User id").fill("nobody");
    await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
    await page.getByText("The user nobody was created.").waitFor();
    await look(page, "collection-users");
    await page.getByRole("button", { name: "New user" }).click();
    await page.getByRole("dialog").getByLabel("User id").fill("nobody");
    await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
    await page.getByRole("dialog").getByRole("alert").getByText(/already exists/).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Delete the user nobody" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("The user nobody was deleted.").waitFor();
    assert.deepEqual((await server.call("ListUsers", { CollectionId: "people" })).Users.map((u) => u.UserId), ["anna"]);
    await page.getByRole("link", { name: "Faces of anna" }).click();
    await page.getByText("of the user anna").waitFor();
    await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 3);
    await look(page, "collection-user-faces");
  });
  await t.test("disassociate, and delete then", async () => {
    await page.getByLabel("Mark all faces of this page").check();
    await page.getByRole("button", { name: "Disassociate" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Disassociate" }).click();
    await page.getByText("3 faces disassociated.").waitFor();
    await page.getByText("This user has no faces.").waitFor();
    await page.getByRole("button", { name: "Show the faces of all users" }).click();
    await page.getByText("of the user anna").waitFor({ state: "detached" });
    await page.getByPlaceholder("External id contains").fill(anna);
    await page.getByText(`3 with “${anna.toLowerCase()}”`).waitFor();
    await page.getByLabel("Mark all faces of this page").check();
    await page.getByRole("group", { name: "Marked faces" }).getByRole("button", { name: "Delete" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("3 faces deleted.").waitFor();
    await page.getByText(`0 with “${anna.toLowerCase()}”`).waitFor();
    assert.equal((await server.call("DescribeCollection", { CollectionId: "people" })).FaceCount, files.length - 3);
    await facts.getByText(String(files.length - 3), { exact: true }).waitFor();
  });
  await t.test("a key that only reads is offered nothing that changes", async () => {
    const reading = await open(browser, server, phone);
    await signIn(reading, await server.createKey("reader", "read-only"));
    await reading.getByRole("link", { name: "people" }).click();
    await reading.getByText("Page 1").waitFor();
    assert.equal(await reading.getByRole("checkbox").count(), 0);
    assert.equal(await reading.getByRole("button", { name: /Delete|Associate|New/ }).count(), 0);
    await look(reading, "collection-phone-read-only");
    await reading.getByRole("link", { name: "Users" }).click();
    await reading.getByRole("row", { name: /anna/ }).waitFor();
    assert.equal(await reading.getByRole("button", { name: /Delete|New/ }).count(), 0);
    await reading.context().close();
  });
  page.check_();
  await page.context().close();
});
