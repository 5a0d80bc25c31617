import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, look, open, phone, signIn } from "./browser.mjs";
import { Server } from "./server.mjs";

let browser, server;
before(async () => { [browser, server] = await Promise.all([launch(), Server.start()]); });
after(async () => { await browser?.close(); await server?.remove(); });

test("the overview", async (t) => {
  await server.call("CreateCollection", { CollectionId: "people" });
  await assert.rejects(server.call("DescribeCollection", { CollectionId: "nobody" }));
  for (const [name, options] of [["overview", {}], ["overview-phone", phone]]) {
    const page = await open(browser, server, options);
    await signIn(page, server.root);
    await page.getByRole("link", { name: "Overview" }).click();
    const row = page.getByRole("row", { name: /^CreateCollection/ });
    await row.waitFor();
    assert.deepEqual((await row.getByRole("cell").allTextContents()).slice(0, 2), ["1", "0"]);
    const failed = await page.getByRole("row", { name: /^DescribeCollection/ }).getByRole("cell").allTextContents();
    assert.equal(failed[1], "1", "the error is counted");
    await look(page, name);
    await page.context().close();
  }
  await t.test("is not offered to a key that may not see it", async () => {
    const page = await open(browser, server);
    await signIn(page, await server.createKey("reader", "read-only"));
    assert.equal(await page.getByRole("link", { name: "Overview" }).count(), 0);
    await page.context().close();
  });
});
