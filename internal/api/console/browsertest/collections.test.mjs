import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { after, before, test } from "node:test";
import { launch, look, open, phone, signIn } from "./browser.mjs";
import { Server } from "./server.mjs";

let browser, server;
before(async () => { [browser, server] = await Promise.all([launch(), Server.start("--region", "us-east-1,eu-west-1")]); });
after(async () => { await browser?.close(); await server?.remove(); });

test("signing in", async (t) => {
  const page = await open(browser, server);
  await look(page, "signin");
  await t.test("a key that is not there", async () => {
    await page.getByLabel("Access key id").fill("AKIANOSUCHKEY0000000");
    await page.getByLabel("Secret access key").fill("x");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("There is no such access key, or it is disabled.").waitFor();
  });
  await t.test("a wrong secret", async () => {
    await page.getByLabel("Access key id").fill(server.root.id);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("The secret does not belong to this access key.").waitFor();
    await look(page, "signin-refused");
  });
  await t.test("a pasted credentials file, and another region", async () => {
    await page.getByLabel("Access key id").evaluate((input, text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text", text);
      input.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
    }, `[default]\naws_access_key_id = ${server.root.id}\naws_secret_access_key = ${server.root.secret}\n`);
    assert.equal(await page.getByLabel("Secret access key").inputValue(), server.root.secret);
    await page.getByLabel("Region").selectOption("eu-west-1");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("root · eu-west-1").waitFor();
  });
  await t.test("the tab keeps the key when it is reloaded, and no other tab has it", async () => {
    await page.reload();
    await page.getByText("root · eu-west-1").waitFor();
    const other = await page.context().newPage();
    await other.goto(server.url + "/console/");
    await other.getByRole("button", { name: "Sign in" }).waitFor();
    await other.close();
    assert.equal(await page.evaluate((secret) => JSON.stringify({ ...localStorage }).includes(secret) || document.cookie !== "", server.root.secret), false);
  });
  await t.test("signing out forgets it", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  });
  await t.test("a credentials file that is opened", async () => {
    const file = path.join(server.folder, "credentials");
    await writeFile(file, `[default]\naws_access_key_id = ${server.root.id}\naws_secret_access_key = ${server.root.secret}\n`);
    await page.getByLabel("or open a credentials file").setInputFiles({ name: "x", mimeType: "text/plain", buffer: Buffer.from("nothing") });
    await page.getByText("x is no credentials file with a key.").waitFor();
    await page.getByLabel("or open a credentials file").setInputFiles(file);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Collections" }).waitFor();
  });
  page.check_();
  await page.context().close();
});

test("the page may not be framed by another", async (t) => {
  const other = createServer((request, response) => {
    response.setHeader("content-type", "text/html");
    response.end(`<iframe src="${server.url}${request.url}"></iframe>`);
  });
  await new Promise((resolve) => other.listen(0, "127.0.0.1", resolve));
  t.after(() => other.close());
  const context = await browser.newContext();
  const page = await context.newPage();
  for (const [framed, shown] of [["/health/live", true], ["/console/", false]]) {
    await page.goto(`http://127.0.0.1:${other.address().port}${framed}`);
    const frame = await (await page.waitForSelector("iframe")).contentFrame();
    await frame.waitForLoadState();
    assert.equal(await frame.evaluate(() => location.protocol !== "chrome-error:"), shown, `${framed} in a frame`);
  }
  await context.close();
});

test("collections are created, found and deleted", async (t) => {
  const page = await open(browser, server);
  await signIn(page, server.root);
  await page.getByText("There are no collections yet.").waitFor();
  await look(page, "collections-none");

  await t.test("create, with tags", async () => {
    await page.getByRole("button", { name: "New collection" }).click();
    const dialog = page.getByRole("dialog", { name: "New collection" });
    await dialog.getByLabel("Name").fill("people");
    await dialog.getByRole("button", { name: "Add a tag" }).click();
    await dialog.getByLabel("Key of tag 1").fill("team");
    await dialog.getByLabel("Value of tag 1").fill("front door");
    await dialog.getByText("The same from a program").click();
    await look(page, "collections-create");
    await dialog.getByRole("button", { name: "Create" }).click();
    await page.waitForURL("**/#/collections/people");
    assert.equal((await server.call("DescribeCollection", { CollectionId: "people" })).FaceCount, 0);
    assert.deepEqual((await server.call("ListTagsForResource", { ResourceArn: server.arn("people") })).Tags, { team: "front door" });
  });
  await t.test("tags are given and taken", async () => {
    await page.getByRole("link", { name: "Tags" }).click();
    await page.getByText("team = front door").waitFor();
    await page.getByLabel("Key of a new tag").fill("floor");
    await page.getByLabel("Value of a new tag").fill("2");
    await page.getByRole("button", { name: "Add tag" }).click();
    await page.getByText("floor = 2").waitFor();
    await look(page, "collection-empty");
    await page.getByRole("button", { name: "Remove the tag team" }).click();
    await page.getByText("team = front door").waitFor({ state: "detached" });
    assert.deepEqual((await server.call("ListTagsForResource", { ResourceArn: server.arn("people") })).Tags, { floor: "2" });
  });
  await t.test("a name that is taken, and one that is none", async () => {
    await page.getByRole("link", { name: "Collections", exact: true }).click();
    await page.getByRole("button", { name: "New collection" }).click();
    const dialog = page.getByRole("dialog", { name: "New collection" });
    await dialog.getByLabel("Name").fill("people");
    await dialog.getByRole("button", { name: "Create" }).click();
    await dialog.getByRole("alert").getByText(/already exists/).waitFor();
    await dialog.getByLabel("Name").fill("no spaces");
    await dialog.getByRole("button", { name: "Create" }).click();
    assert.equal(await dialog.getByLabel("Name").evaluate((input) => input.validity.patternMismatch), true);
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    await page.waitForFunction(() => document.activeElement.textContent === "New collection"); // the focus goes back to where it was
  });
  await t.test("what is on the list", async () => {
    const row = page.getByRole("row", { name: /people/ });
    const { FaceModelVersion } = await server.call("DescribeCollection", { CollectionId: "people" });
    await row.getByRole("cell", { name: FaceModelVersion }).waitFor();
    assert.equal(await row.getByRole("cell").first().textContent(), "0");
  });
  await t.test("the call to copy", async () => {
    await page.getByText("The same from a program").click();
    await page.getByRole("button", { name: "AWS CLI" }).click();
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByText("Copied").waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(copied, /^aws rekognition list-collections/);
    assert.ok(!copied.includes(server.root.secret) && !copied.includes(server.root.id), "no key is in what is copied");
    await look(page, "collections");
    await page.emulateMedia({ colorScheme: "dark" });
    await look(page, "collections-dark");
    await page.getByLabel("Colours").selectOption("light");
    await look(page, "collections-light-chosen");
    await page.getByLabel("Colours").selectOption("auto");
    await page.emulateMedia({ colorScheme: "light" });
  });
  await t.test("delete, by typing the name", async () => {
    await page.getByRole("button", { name: "Delete people" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete a collection" });
    const button = dialog.getByRole("button", { name: "Delete" });
    await dialog.getByLabel("Type its name to go on").fill("peopl");
    assert.equal(await button.isDisabled(), true);
    await page.keyboard.press("Enter");
    await look(page, "collections-delete");
    assert.deepEqual((await server.call("ListCollections", {})).CollectionIds, ["people"]);
    await dialog.getByLabel("Type its name to go on").fill("people");
    await button.click();
    await page.getByText("The collection people was deleted.").waitFor();
    await page.getByText("There are no collections yet.").waitFor();
    assert.deepEqual((await server.call("ListCollections", {})).CollectionIds, []);
  });
  page.check_();
  await page.context().close();
});

test("what a key may not do is not offered", async (t) => {
  await server.call("CreateCollection", { CollectionId: "team-a" });
  t.after(() => server.call("DeleteCollection", { CollectionId: "team-a" }));
  await t.test("a key that only reads", async () => {
    const page = await open(browser, server);
    await signIn(page, await server.createKey("reader", "read-only"));
    await page.getByRole("link", { name: "team-a" }).waitFor();
    assert.equal(await page.getByRole("button", { name: "New collection" }).count(), 0);
    assert.equal(await page.getByRole("button", { name: /Delete/ }).count(), 0);
    await look(page, "collections-read-only");
    await page.context().close();
  });
  await t.test("a key without policies", async () => {
    const page = await open(browser, server);
    await signIn(page, await server.createKey("nobody"));
    await page.getByText("Your key may not list collections.").waitFor();
    await look(page, "collections-no-policy");
    await page.context().close();
  });
});
