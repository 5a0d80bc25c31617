// The page of the servers that share a database.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, look, open, phone, signIn } from "./browser.mjs";
import { noPostgres, Postgres } from "./postgres.mjs";
import { Server } from "./server.mjs";

let browser, alone;
before(async () => { [browser, alone] = await Promise.all([launch(), Server.start()]); });
after(async () => { await browser?.close(); await alone?.remove(); });

test("the servers of a database", { skip: noPostgres }, async (t) => {
  const database = await Postgres.start();
  t.after(() => database.stop());
  const masterKey = await database.masterKey();
  const flags = ["--store", database.url, "--master-key-file", masterKey];
  const servers = [];
  t.after(() => Promise.all(servers.map((server) => server.remove())));
  for (let i = 0; i < 3; i++) servers.push(await Server.start(...flags));
  const [one, two, three] = servers;

  for (const [name, options] of [["cluster", {}], ["cluster-phone", phone]]) {
    const page = await open(browser, one, options);
    await signIn(page, one.root);
    await page.getByRole("link", { name: "Cluster" }).click();
    await page.getByText("3 servers share the database.").waitFor();
    for (const server of servers) {
      const row = page.getByRole("row", { name: new RegExp(server.url.replaceAll(".", "\\.") + " ") });
      const text = await row.textContent();
      assert.match(text, /alive/);
      assert.equal(text.includes("answers this page"), server === one, text);
    }
    await look(page, name);
    await page.context().close();
  }

  await t.test("one that is stopped leaves, and one that is killed is silent", async () => {
    await two.close();
    three.process.kill("SIGKILL");
    const page = await open(browser, one);
    await signIn(page, one.root);
    await page.getByRole("link", { name: "Cluster" }).click();
    await page.getByText("1 server shares the database; 1 server said nothing of late").waitFor({ timeout: 60_000 });
    assert.equal(await page.getByRole("row").count(), 3, "a head, and a row for each");
    assert.match(await page.getByRole("row", { name: new RegExp(three.url) }).textContent(), /silent/);
    await look(page, "cluster-silent");
    await page.context().close();
  });
});

test("a server without a database to share", async (t) => {
  const page = await open(browser, alone);
  await signIn(page, alone.root);
  await page.getByRole("link", { name: "Cluster" }).click();
  await page.getByText("shares it with no other").waitFor();
  assert.equal(await page.getByRole("row").count(), 2);
  await look(page, "cluster-alone");
  await page.context().close();
  await t.test("is not offered to a key that may not see it", async () => {
    const page = await open(browser, alone);
    await signIn(page, await alone.createKey("reader", "read-only"));
    assert.equal(await page.getByRole("link", { name: "Cluster" }).count(), 0);
    await page.context().close();
  });
});
