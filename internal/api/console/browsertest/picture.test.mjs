// What becomes a picture, and what does not: files, orientations, the camera.
import assert from "node:assert/strict";
import { open as openFile, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { crc32, deflateSync } from "node:zlib";
import { launch, look } from "./browser.mjs";
import { noPictures, Server } from "./server.mjs";
import { choose, crowd, drawn, image, near, part, tryIt } from "./tryit.mjs";

const skip = noPictures;
let browser, server;
before(async () => { if (!skip) [browser, server] = await Promise.all([launch(), Server.start()]); });
after(async () => { await browser?.close(); await server?.remove(); });

/** A PNG of these chunks. */
function png(...chunks) {
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), ...chunks.map(([type, data]) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const whole = Buffer.alloc(body.length + 8);
    whole.writeUInt32BE(data.length, 0);
    body.copy(whole, 4);
    whole.writeUInt32BE(crc32(body), body.length + 4);
    return whole;
  })]);
}

/** The head of a grey PNG. */
function header(width, height) {
  const data = Buffer.alloc(13);
  data.writeUInt32BE(width, 0);
  data.writeUInt32BE(height, 4);
  data[8] = 8;
  return ["IHDR", data];
}

/** EXIF data with an orientation alone. */
const exif = (orientation) => Buffer.from([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0]);

/** Marks a JPEG as to be shown turned. */
function withOrientation(jpeg, orientation) {
  const body = Buffer.concat([Buffer.from("Exif\0\0"), exif(orientation)]);
  const head = Buffer.from([0xff, 0xd8, 0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(body.length + 2, 4);
  return Buffer.concat([head, body, jpeg.subarray(2)]);
}

test("a picture that is stored turned is drawn as the server sees it", { skip }, async () => {
  const page = await tryIt(browser, server);
  const faces = part(page, "Faces");
  await choose(page, crowd);
  await faces.getByText("8 faces found").waitFor();
  const upright = await drawn(faces.getByRole("figure"));
  // A quarter turned to the left, with the mark that a camera held so would set: 6, turn right to show.
  const turned = Buffer.from(await faces.getByRole("img").evaluate(async (img) => {
    const canvas = new OffscreenCanvas(img.naturalHeight, img.naturalWidth);
    const context = canvas.getContext("2d");
    context.translate(0, canvas.height);
    context.rotate(-Math.PI / 2);
    context.drawImage(img, 0, 0);
    return [...new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 })).arrayBuffer())];
  }));
  await choose(page, { name: "turned.jpg", mimeType: "image/jpeg", buffer: withOrientation(turned, 6) });
  await page.getByText("turned.jpg", { exact: true }).waitFor();
  await faces.getByText("8 faces found").waitFor();
  const boxes = await drawn(faces.getByRole("figure"));
  for (const [i, box] of boxes.entries()) near(box, upright[i], 0.02);
  await look(page, "tryit-turned");
  await page.context().close();
});

test("a PNG is turned as its EXIF data says, as the server turns it", { skip }, async () => {
  const page = await tryIt(browser, server);
  const rows = Buffer.concat(Array.from({ length: 100 }, (_, y) => Buffer.concat([Buffer.from([0]), Buffer.alloc(200, y)])));
  await choose(page, { name: "lying.png", mimeType: "image/png", buffer: png(header(200, 100), ["eXIf", exif(6)], ["IDAT", deflateSync(rows)], ["IEND", Buffer.alloc(0)]) });
  await page.getByText("100 × 200").waitFor();
  await part(page, "Faces").getByText("No face was found").waitFor();
  // Dark above and bright below as it is stored, and turned to the right bright to the left.
  const shot = (await part(page, "Faces").getByRole("img").screenshot()).toString("base64");
  const [left, right] = await page.evaluate(async (base64) => {
    const shown = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
    const context = new OffscreenCanvas(shown.width, shown.height).getContext("2d");
    context.drawImage(shown, 0, 0);
    return [5, shown.width - 5].map((x) => context.getImageData(x, shown.height / 2, 1, 1).data[0]);
  }, shot);
  assert.ok(left > 90 && right < 10, `${left} at the left, ${right} at the right`);
  await page.context().close();
});

test("a WebP picture is made a JPEG, and one that the browser cannot show is refused", { skip }, async () => {
  const page = await tryIt(browser, server);
  const webp = Buffer.from(await page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))]));
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    return [...new Uint8Array(await (await canvas.convertToBlob({ type: "image/webp", quality: 0.9 })).arrayBuffer())];
  }, (await image(crowd)).Bytes));
  assert.equal(webp.toString("latin1", 8, 12), "WEBP");
  await choose(page, { name: "crowd.webp", mimeType: "image/webp", buffer: webp });
  await page.getByText("crowd.webp is a WebP picture. What is sent was made a JPEG here.").waitFor();
  await page.getByText("crowd-converted.jpg", { exact: true }).waitFor();
  await part(page, "Faces").getByText("8 faces found").waitFor();
  await look(page, "tryit-webp");
  await choose(page, { name: "IMG_1.HEIC", mimeType: "image/heic", buffer: Buffer.from("\0\0\0\x18ftypheic\0\0\0\0mif1heic".padEnd(200, "\0"), "latin1") });
  await page.getByText("IMG_1.HEIC is a HEIC picture, which this browser cannot show.").waitFor();
  await look(page, "tryit-heic");
  await page.context().close();
});

test("what is no picture is refused, and nothing is sent", { skip }, async (t) => {
  const page = await tryIt(browser, server);
  const sent = [];
  page.on("request", (request) => { if (request.method() === "POST") sent.push(request.headers()["x-amz-target"]); });
  const refused = page.getByRole("group", { name: "A picture with faces" }).getByRole("alert");
  const folder = server.folder;
  await t.test("a PDF by the name of a JPEG", async () => {
    await choose(page, { name: "invoice.jpg", mimeType: "image/jpeg", buffer: Buffer.from("%PDF-1.7\n%âãÏÓ\n1 0 obj\n<<>>\nendobj\n") });
    await refused.getByText("invoice.jpg is a PDF document, whatever its name says.").waitFor();
    await look(page, "tryit-pdf");
  });
  await t.test("2 GiB, which nobody reads", async () => {
    const file = path.join(folder, "huge.jpg");
    const handle = await openFile(file, "w");
    await handle.truncate(2 * 2 ** 30);
    await handle.close();
    const started = Date.now();
    await choose(page, file);
    await refused.getByText("huge.jpg has 2.0 GiB, which is too much: it was not read.").waitFor();
    assert.ok(Date.now() - started < 3000, "at once");
    await rm(file);
  });
  await t.test("nothing, a damaged one, two at once", async () => {
    await choose(page, { name: "nothing.jpg", mimeType: "image/jpeg", buffer: Buffer.alloc(0) });
    await refused.getByText("nothing.jpg is empty.").waitFor();
    await choose(page, { name: "cut.jpg", mimeType: "image/jpeg", buffer: (await readFile(crowd)).subarray(0, 40) });
    await refused.getByText("cut.jpg is damaged").waitFor();
    await page.locator("h1").evaluate((element) => {
      const data = new DataTransfer();
      for (const name of ["a.jpg", "b.jpg"]) data.items.add(new File(["x"], name));
      element.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    });
    await refused.getByText("These are 2 files.").waitFor();
  });
  await t.test("too few pixels", async () => {
    await choose(page, { name: "small.png", mimeType: "image/png", buffer: png(header(79, 200), ["IDAT", deflateSync(Buffer.alloc(80 * 200))], ["IEND", Buffer.alloc(0)]) });
    await refused.getByText("small.png has 79 × 200 pixels, which is too little.").waitFor();
    await refused.getByText("The server takes pictures whose sides have 80 pixels or more.").waitFor();
  });
  await t.test("30,000 x 30,000 pixels in a small file", async () => {
    const bomb = png(header(30_000, 30_000), ["IDAT", deflateSync(Buffer.alloc(30_001))], ["IEND", Buffer.alloc(0)]);
    await choose(page, { name: "bomb.png", mimeType: "image/png", buffer: bomb });
    await refused.getByText("bomb.png has 900 megapixels, which is too much.").waitFor();
  });
  assert.deepEqual(sent.filter((target) => !target?.endsWith(".ListCollections")), []);
  await t.test("too many bytes: scaled down here, and told", async () => {
    // Noise compresses badly: few pixels make more than 5 MiB.
    const bytes = Buffer.from(await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(4800, 1600);
      const context = canvas.getContext("2d");
      const noise = context.createImageData(4800, 1600);
      for (let i = 0; i < noise.data.length; i += 65536) crypto.getRandomValues(noise.data.subarray(i, i + 65536));
      for (let i = 3; i < noise.data.length; i += 4) noise.data[i] = 255;
      context.putImageData(noise, 0, 0);
      const reader = new FileReader();
      reader.readAsDataURL(await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 }));
      await new Promise((resolve) => { reader.onload = resolve; });
      return reader.result.replace(/.*,/, "");
    }), "base64");
    assert.ok(bytes.length > 5 << 20, `${bytes.length}`);
    await choose(page, { name: "big.jpg", mimeType: "image/jpeg", buffer: bytes });
    await page.getByText(/big\.jpg has [\d.]+ MiB, and the server takes 5\.0 MiB\. What is sent was scaled down from 4800 × 1600 to \d+ × \d+ here\./).waitFor({ timeout: 60_000 });
    await part(page, "Faces").getByText(/found/).waitFor({ timeout: 60_000 });
    assert.equal(await page.getByRole("link", { name: "Save what is sent" }).getAttribute("download"), "big-scaled.jpg");
    await look(page, "tryit-scaled");
    assert.equal(sent.at(-1), "RekognitionService.DetectFaces");
  });
  await t.test("and a good one takes its place", async () => {
    await choose(page, crowd);
    await part(page, "Faces").getByText("8 faces found").waitFor({ timeout: 60_000 });
    assert.equal(await refused.count(), 0);
  });
  page.check_();
  await page.context().close();
});

test("with the camera", { skip }, async () => {
  // One frame, over and over: the file of the fake camera is a row of JPEGs, whose sides are even.
  const film = path.join(server.folder, "film.mjpeg");
  const still = await tryIt(browser, server);
  await choose(still, crowd);
  await writeFile(film, Buffer.from(await part(still, "Faces").getByRole("img").evaluate(async (img) => {
    const canvas = new OffscreenCanvas(960, 640);
    canvas.getContext("2d").drawImage(img, 0, 0, 960, 640);
    return [...new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 })).arrayBuffer())];
  })));
  await still.context().close();
  const filming = await launch(`--use-file-for-fake-video-capture=${film}`);
  try {
    const page = await tryIt(filming, server);
    await page.getByRole("button", { name: "Camera" }).click();
    const dialog = page.getByRole("dialog", { name: "Camera" });
    await dialog.getByRole("button", { name: "Take the picture" }).and(page.locator(":enabled")).waitFor();
    await look(page, "tryit-camera");
    await dialog.getByRole("button", { name: "Take the picture" }).click();
    await part(page, "Faces").getByText(/^\d+ faces found/).waitFor();
    const { FaceDetails } = await server.call("DetectFaces", { Image: await image(crowd) });
    const found = Number(/^\d+/.exec(await part(page, "Faces").getByText(/faces found/).textContent())[0]);
    assert.ok(Math.abs(found - FaceDetails.length) <= 1, `${found} faces`);
    assert.equal(await page.getByRole("link", { name: "Save what is sent" }).getAttribute("download"), "camera.jpg");
    await page.getByRole("button", { name: "Camera" }).click();
    await dialog.waitFor();
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    page.check_();
  } finally {
    await filming.close();
  }
});

test("a camera that may not be used", { skip }, async () => {
  const page = await tryIt(browser, server);
  await page.evaluate(() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError")); });
  await page.getByRole("button", { name: "Camera" }).click();
  await page.getByRole("dialog").getByRole("alert").getByText("The browser does not let this page use the camera.").waitFor();
  await look(page, "tryit-camera-refused");
  await page.context().close();
});
