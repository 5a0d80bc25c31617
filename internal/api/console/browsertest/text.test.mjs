import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { launch, look } from "./browser.mjs";
import { Server } from "./server.mjs";
import { choose, go, image, part, tryIt } from "./tryit.mjs";

let browser, server, folder;
before(async () => {
  [browser, server, folder] = await Promise.all([launch(), Server.start(), mkdtemp(path.join(tmpdir(), "recollect-text-"))]);
});
after(async () => {
  await browser?.close();
  await server?.remove();
  if (folder) await rm(folder, { recursive: true });
});

/** A picture of lines of text, one of them turned, drawn by the browser. */
async function sign(page) {
  const base64 = await page.evaluate(() => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [800, 600];
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, 800, 600);
    pen.fillStyle = "#000";
    pen.font = "48px sans-serif";
    pen.fillText("Platform 9", 60, 100);
    pen.translate(150, 300);
    pen.rotate(Math.PI / 9);
    pen.fillText("To the trains", 0, 0);
    return canvas.toDataURL("image/png").split(",")[1];
  });
  const file = path.join(folder, "sign.png");
  await writeFile(file, Buffer.from(base64, "base64"));
  return file;
}

test("the text of a picture", async (t) => {
  const page = await tryIt(browser, server);
  const file = await sign(page);
  const { TextDetections } = await server.call("DetectText", { Image: await image(file) });
  const lines = TextDetections.filter((d) => d.Type === "LINE");
  assert.deepEqual(lines.map((d) => d.DetectedText), ["Platform 9", "To the trains"]);
  const text = part(page, "Text");
  const polygons = () => text.locator("polygon.over").evaluateAll((all) => all.map((p) => p.getAttribute("points")));
  const shown = (detections) => detections.map((d) => d.Geometry.Polygon.map((p) => `${(p.X * 800).toFixed(1)},${(p.Y * 600).toFixed(1)}`).join(" "));
  await t.test("lines", async () => {
    await choose(page, file);
    await go(page, "Text");
    await text.getByText("2 lines read").waitFor();
    assert.deepEqual(await polygons(), shown(lines));
    await look(page, "tryit-text");
  });
  await t.test("words", async () => {
    await text.getByLabel("Words").check();
    await text.getByText("5 words read").waitFor();
    assert.deepEqual(await polygons(), shown(TextDetections.filter((d) => d.Type === "WORD")));
    await text.getByRole("list", { name: "Words" }).getByRole("button", { name: /^trains/ }).click();
    assert.match(await text.locator("g.face").nth(4).getAttribute("class"), /chosen/);
  });
  await t.test("the call to copy", async () => {
    await text.getByText("The same from a program").click();
    assert.match(await text.getByLabel("Python").textContent(), /client\.detect_text\(/);
  });
  page.check_();
  await page.context().close();
});

test("a server without the model pack", async () => {
  const page = await tryIt(browser, server);
  const file = await sign(page);
  await page.route("**/", (route) => route.request().headers()["x-amz-target"] === "RekognitionService.DetectText"
    ? route.fulfill({ status: 501, contentType: "application/x-amz-json-1.1", body: JSON.stringify({ __type: "NotImplementedException", message: "Install it with: recollect models add text" }) })
    : route.continue());
  await choose(page, file);
  await go(page, "Text");
  await part(page, "Text").getByText("recollect models add text").waitFor();
  await page.context().close();
});
