import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { launch, look, open, phone, signIn } from "./browser.mjs";
import { noPictures, people, Server, shared } from "./server.mjs";
import { choose, crowd, drawn, go, image, near, part, tryIt } from "./tryit.mjs";

const skip = noPictures;
let browser, server, persons;
before(async () => {
  if (skip) return;
  [browser, server] = await Promise.all([launch(), Server.start()]);
  persons = (await people(3)).slice(0, 6);
  await server.call("CreateCollection", { CollectionId: "people" });
  for (const { name, pictures } of persons) {
    for (const [i, file] of pictures.slice(0, 2).entries()) await server.call("IndexFaces", { CollectionId: "people", ExternalImageId: `${name}-${i}`, MaxFaces: 1, Image: await image(file) });
  }
});
after(async () => { await browser?.close(); await server?.remove(); });

test("faces of a picture", { skip }, async (t) => {
  const page = await tryIt(browser, server);
  await look(page, "tryit-empty");
  const faces = part(page, "Faces");
  const { FaceDetails } = await server.call("DetectFaces", { Image: await image(crowd), Attributes: ["ALL"] });
  await t.test("boxes, landmarks and attributes", async () => {
    await choose(page, crowd);
    await faces.getByText("8 faces found").waitFor();
    const boxes = await drawn(faces.getByRole("figure"));
    assert.equal(boxes.length, FaceDetails.length);
    for (const [i, box] of boxes.entries()) near(box, FaceDetails[i].BoundingBox, 0.01);
    const dots = await faces.locator("path.dots.over").first().getAttribute("d");
    assert.equal(dots.match(/M/g).length, FaceDetails[0].Landmarks.length);
    await faces.getByText(`${FaceDetails[0].AgeRange.Low} to ${FaceDetails[0].AgeRange.High}`).waitFor();
    await look(page, "tryit-faces");
    await faces.getByLabel("Landmarks").uncheck();
    assert.equal(await faces.locator("path.dots").count(), 0);
  });
  await t.test("another of them", async () => {
    await faces.getByRole("button", { name: /^Face 3:/ }).click();
    await faces.getByRole("heading", { name: "Face 3" }).waitFor();
    await faces.getByText(`${FaceDetails[2].Confidence.toFixed(2)} %`).waitFor();
    assert.match(await faces.locator("g.face").nth(2).getAttribute("class"), /chosen/);
    const { x, y, width, height } = await faces.locator("g.face rect.over").nth(4).boundingBox();
    await page.mouse.click(x + width / 2, y + height / 2);
    await faces.getByRole("heading", { name: "Face 5" }).waitFor();
  });
  await t.test("the call to copy", async () => {
    await faces.getByText("The same from a program").click();
    const code = faces.getByLabel("Python");
    const text = await code.textContent();
    assert.match(text, /client\.detect_faces\(/);
    assert.match(text, /Path\("cf_016_8\.jpg"\)\.read_bytes\(\)/);
    await faces.getByRole("button", { name: "AWS CLI" }).click();
    assert.match(await faces.getByLabel("Shell").textContent(), /aws rekognition detect-faces \\\n +--image-bytes fileb:\/\/cf_016_8\.jpg \\\n +--attributes ALL/);
  });
  await t.test("dark", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    await look(page, "tryit-faces-dark");
    await page.emulateMedia({ colorScheme: "light" });
  });
  await t.test("a picture without faces", async () => {
    await choose(page, shared("group", "cf_017_0.jpg"));
    await faces.getByText("No face was found").waitFor();
    await faces.getByText("In a picture of this size, a face needs 40 × 40 pixels or more.").waitFor();
    assert.deepEqual(await drawn(faces.getByRole("figure")), []);
  });
  await t.test("dropped beside the place for it, and pasted", async () => {
    for (const how of ["drop", "paste"]) {
      await page.locator("h1").evaluate((element, [how, base64]) => {
        const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], `${how}.jpg`, { type: "image/jpeg" }));
        const options = { bubbles: true, cancelable: true };
        const event = how === "drop" ? new DragEvent("drop", { ...options, dataTransfer: data }) : new ClipboardEvent("paste", { ...options, clipboardData: data });
        if (element.dispatchEvent(event)) throw new Error(`the browser would take the ${how} itself`);
      }, [how, (await readFile(crowd)).toString("base64")]);
      await page.getByText(`${how}.jpg`, { exact: true }).waitFor();
      await faces.getByText("8 faces found").waitFor();
    }
  });
  page.check_();
  await page.context().close();
});

test("index, then search", { skip }, async (t) => {
  const [anna] = persons;
  const page = await tryIt(browser, server);
  await t.test("index", async () => {
    await server.call("CreateCollection", { CollectionId: "crowd" });
    await choose(page, crowd);
    await go(page, "Index");
    const index = part(page, "Index");
    assert.equal(await index.getByRole("button", { name: "Index" }).isDisabled(), true, "no collection is named");
    await page.getByRole("combobox", { name: "Collection" }).fill("crowd");
    assert.equal(await index.getByLabel("External id").inputValue(), "cf_016_8");
    await index.getByLabel("External id").fill("the-crowd");
    await index.getByLabel("Most faces").fill("5");
    await index.getByRole("button", { name: "Index" }).click();
    await index.getByText("5 faces indexed, 3 faces left out").waitFor();
    await index.getByText("larger faces were enough").first().waitFor();
    const { Faces } = await server.call("ListFaces", { CollectionId: "crowd" });
    assert.deepEqual(Faces.map((f) => f.ExternalImageId), Array(5).fill("the-crowd"));
    assert.equal((await drawn(index.getByRole("figure"))).length, 8);
    await index.getByText("The same from a program").click();
    assert.match(await index.getByLabel("Python").textContent(), /index_faces\(\n    CollectionId="crowd",\n    Image=\{"Bytes": Path\("cf_016_8\.jpg"\)\.read_bytes\(\)\},\n    ExternalImageId="the-crowd",\n    MaxFaces=5,/);
    await look(page, "tryit-index");
    await index.getByLabel("Most faces").fill("");
    await index.getByLabel("Quality filter").selectOption("High");
    await index.getByRole("button", { name: "Index" }).click();
    await index.getByText("No face was found").or(index.getByText(/left out/)).first().waitFor();
    const { FaceDetails } = await server.call("DetectFaces", { Image: await image(crowd) });
    const blurred = FaceDetails.find((f) => f.Quality.Sharpness < 10);
    const sharpness = Math.floor(blurred.Quality.Sharpness * 100) / 100;
    await index.getByText(`(${sharpness}, and 10 would pass)`).first().waitFor();
  });
  await t.test("search", async () => {
    await choose(page, anna.pictures[2]);
    await go(page, "Search");
    const search = part(page, "Search");
    await page.getByRole("combobox", { name: "Collection" }).fill("people");
    await search.getByRole("button", { name: "Search" }).click();
    const cards = search.getByRole("list", { name: "Faces that match" }).getByRole("listitem");
    await cards.first().waitFor();
    const names = await cards.getByRole("heading").allTextContents();
    const { FaceMatches } = await server.call("SearchFacesByImage", { CollectionId: "people", Image: await image(anna.pictures[2]), FaceMatchThreshold: 80 });
    assert.deepEqual(names, FaceMatches.map((m) => m.Face.ExternalImageId), "the slider stands at 80");
    assert.deepEqual(names.slice(0, 2).sort(), [`${anna.name}-0`, `${anna.name}-1`]);
    await search.getByText(/At 80, about 1 in 1,000 strangers would match\. Of pairs of pictures of one person, 99\.0\s% do\./).waitFor();
    await look(page, "tryit-search");
    await page.emulateMedia({ colorScheme: "dark" });
    await look(page, "tryit-search-dark");
    await page.emulateMedia({ colorScheme: "light" });
  });
  await t.test("the slider hides and shows", async () => {
    const search = part(page, "Search");
    const slider = search.getByRole("slider", { name: "Threshold" });
    const cards = search.getByRole("list", { name: "Faces that match" }).getByRole("listitem");
    await slider.fill("0");
    await search.getByText(`${persons.length * 2} faces shown. Searched once, with the threshold 0.`).waitFor();
    assert.equal(await cards.count(), persons.length * 2);
    await search.getByText(/more than 1 in 10 strangers/).waitFor();
    // Half-way between 85 and 90, whose rates are 4.7e-4 and 1.7e-4: their geometric mean.
    await slider.fill("87.5");
    await search.getByText("At 87.5, about 1 in 3,500 strangers would match.").waitFor();
    for (const threshold of [50, 87.5]) {
      await slider.fill(String(threshold));
      const { FaceMatches } = await server.call("SearchFacesByImage", { CollectionId: "people", Image: await image(anna.pictures[2]), FaceMatchThreshold: threshold, MaxFaces: 100 });
      await search.getByText(`${FaceMatches.length} face${FaceMatches.length === 1 ? "" : "s"} shown, ${persons.length * 2 - FaceMatches.length} below the threshold hidden.`).waitFor();
    }
    await search.getByText("The largest face from a program").click();
    assert.match(await search.getByLabel("Python").textContent(), /search_faces_by_image\([^]*FaceMatchThreshold=87\.5,/);
  });
  await t.test("every face of a picture", async () => {
    await choose(page, crowd);
    const search = part(page, "Search");
    await page.getByRole("combobox", { name: "Collection" }).fill("crowd"); // which has five of them
    await search.getByRole("button", { name: "Search" }).click();
    await search.getByRole("slider", { name: "Threshold" }).fill("99");
    await search.getByText(/^5 of 8 faces of the picture match\. Of face 1: /).waitFor();
    const { FaceDetails } = await server.call("DetectFaces", { Image: await image(crowd) });
    const { Faces } = await server.call("ListFaces", { CollectionId: "crowd" });
    const same = (a, b) => ["Left", "Top", "Width", "Height"].every((side) => Math.abs(a[side] - b[side]) < 0.001);
    const known = FaceDetails.map((d) => Faces.find((f) => same(f.BoundingBox, d.BoundingBox)));
    const buttons = search.getByRole("group", { name: "Faces of the picture, the largest first" }).getByRole("button");
    assert.deepEqual(await buttons.evaluateAll((all) => all.map((b) => b.ariaLabel)), known.map((face, i) => `Face ${i + 1}: ${face ? "the-crowd 100.0" : "no match"}`));
    const boxes = await drawn(search.getByRole("figure"));
    assert.equal(boxes.length, 8);
    for (const [i, box] of boxes.entries()) near(box, FaceDetails[i].BoundingBox, 0.01);
    for (const [i, face] of known.entries()) {
      if (!face) continue;
      await buttons.nth(i).click();
      await search.getByText(`Of face ${i + 1}: 1 face shown, 4 below the threshold hidden.`).waitFor();
      assert.equal(await search.getByRole("list", { name: "Faces that match" }).locator("code").textContent(), face.FaceId);
    }
    await look(page, "tryit-search-all");
    // On the picture as well.
    const unknown = known.indexOf(undefined);
    const { x, y, width, height } = await search.locator("g.face rect.over").nth(unknown).boundingBox();
    await page.mouse.click(x + width / 2, y + height / 2);
    await search.getByText(`Of face ${unknown + 1}: 0 faces shown, 5 below the threshold hidden.`).waitFor();
    assert.equal(await search.getByRole("list", { name: "Faces that match" }).count(), 0);
    await search.getByText("recollect search --all cf_016_8.jpg --collection crowd --threshold 99", { exact: false }).waitFor();
    await choose(page, anna.pictures[2]);
    await page.getByRole("combobox", { name: "Collection" }).fill("people");
  });
  await t.test("users", async () => {
    const { Faces } = await server.call("ListFaces", { CollectionId: "people" });
    await server.call("CreateUser", { CollectionId: "people", UserId: "anna" });
    await server.call("AssociateFaces", { CollectionId: "people", UserId: "anna", UserMatchThreshold: 50, FaceIds: Faces.filter((f) => f.ExternalImageId.startsWith(anna.name)).map((f) => f.FaceId) });
    const search = part(page, "Search");
    await search.getByRole("button", { name: "Users" }).click();
    await search.getByRole("button", { name: "Search" }).click();
    await search.getByRole("list", { name: "Users that match" }).getByRole("link", { name: "anna" }).waitFor();
    assert.match(await search.getByLabel("Python").textContent(), /search_users_by_image\(/);
    await search.getByRole("button", { name: "Faces" }).click();
    await search.getByRole("button", { name: "Search" }).click();
    await search.getByRole("link", { name: "anna" }).first().waitFor();
  });
  await t.test("a collection that is not there, and a picture without a face", async () => {
    const search = part(page, "Search");
    await page.getByRole("combobox", { name: "Collection" }).fill("nowhere");
    await search.getByRole("button", { name: "Search" }).click();
    await search.getByRole("alert").getByText(/nowhere/).waitFor();
    await page.getByRole("combobox", { name: "Collection" }).fill("people");
    await choose(page, shared("group", "cf_017_0.jpg"));
    await search.getByRole("button", { name: "Search" }).click();
    await search.getByRole("alert").getByText("There is no face in the picture.").waitFor();
    await search.getByRole("alert").getByText("In a picture of this size, a face needs 40 × 40 pixels or more.").waitFor();
    await look(page, "tryit-search-no-face");
  });
  await t.test("a collection is made on the way", async () => {
    await page.getByRole("button", { name: "New collection" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("fresh");
    await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await page.getByRole("combobox", { name: "Collection" }).inputValue(), "fresh");
    await choose(page, anna.pictures[2]);
    await part(page, "Search").getByRole("button", { name: "Search" }).click();
    await part(page, "Search").getByText("The collection has no faces.").waitFor();
  });
  page.check_();
  await page.context().close();
});

test("compare two pictures", { skip }, async (t) => {
  const [anna, bert] = persons;
  const page = await tryIt(browser, server);
  await choose(page, anna.pictures[0]);
  await go(page, "Compare");
  const compare = part(page, "Compare");
  await look(page, "tryit-compare-one");
  await t.test("one person", async () => {
    await choose(page, anna.pictures[1], compare);
    await compare.getByText("1 of 1 face of the second picture matches").waitFor();
    const { FaceMatches: [match] } = await server.call("CompareFaces", { SourceImage: await image(anna.pictures[0]), TargetImage: await image(anna.pictures[1]) });
    await compare.getByRole("listitem").getByText(match.Similarity.toFixed(1)).waitFor();
    // The line runs from the one box to the other.
    const [line, [from, to]] = await Promise.all([
      compare.locator(".lines line.over").boundingBox(), Promise.all([0, 1].map((i) => compare.locator("figure").nth(i).locator("rect.over").boundingBox()))]);
    assert.ok(Math.abs(line.x - (from.x + from.width)) < 6 && Math.abs(line.x + line.width - to.x) < 6, `${JSON.stringify({ line, from, to })}`);
    await look(page, "tryit-compare");
    await compare.getByText("The same from a program").click();
    assert.match(await compare.getByLabel("Python").textContent(), /compare_faces\(\n    SourceImage=[^]*TargetImage=[^]*SimilarityThreshold=80,/);
  });
  await t.test("two persons, and the slider", async () => {
    await choose(page, bert.pictures[0], compare);
    await compare.getByText("0 of 1 face of the second picture match").waitFor();
    assert.equal(await compare.locator(".lines line").count(), 0);
    await compare.getByRole("slider", { name: "Threshold" }).fill("0");
    await compare.getByText("1 of 1 face of the second picture matches").waitFor();
    assert.equal(await compare.locator(".lines line.over").count(), 1);
  });
  await t.test("a picture without a face", async () => {
    await choose(page, shared("group", "cf_017_0.jpg"), compare);
    await compare.getByRole("alert").getByText("There is no face in the second picture.").waitFor();
  });
  await t.test("a crowd", async () => {
    await choose(page, crowd, compare);
    await compare.getByText("8 of 8 faces of the second picture match").waitFor();
    assert.equal(await compare.locator(".lines line.over").count(), 8);
    await look(page, "tryit-compare-crowd");
  });
  page.check_();
  await page.context().close();
});

test("a lost connection, and a key that is disabled meanwhile", { skip }, async (t) => {
  const key = await server.createKey("colleague", "full-access");
  const page = await tryIt(browser, server, { key, expected: [/./] });
  await choose(page, persons[1].pictures[0]);
  await page.getByRole("combobox", { name: "Collection" }).waitFor({ state: "detached" });
  await go(page, "Search");
  await page.getByRole("combobox", { name: "Collection" }).fill("people");
  const search = part(page, "Search");
  const button = search.getByRole("button", { name: "Search" });
  await button.click();
  await search.getByRole("listitem").first().waitFor();
  await t.test("the server is gone, and comes back", async () => {
    await server.close();
    await button.click();
    await search.getByRole("alert").getByText("The connection to the server was lost before its answer came.").waitFor();
    assert.equal(await search.getByRole("listitem").count(), 0, "nothing of before is shown as if it were the answer");
    await server.reopen();
    await button.click();
    await search.getByRole("listitem").first().waitFor({ timeout: 60_000 });
  });
  await t.test("the key is disabled", async () => {
    await server.keys("disable", key.id);
    await new Promise((resolve) => setTimeout(resolve, 1500)); // a change takes effect within a second
    await button.click();
    await page.getByRole("alert").getByText("You were signed out. There is no such access key, or it is disabled.").waitFor();
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  });
  await page.context().close();
});

/** Presses Tab until what has the focus has this name. */
async function tabTo(page, name) {
  const seen = [];
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const e = document.activeElement;
      return (e.ariaLabel ?? e.labels?.[0]?.textContent ?? e.textContent).trim();
    });
    seen.push(focused);
    if (name.test(focused)) return;
  }
  assert.fail(`Tab never came to ${name}: ${seen.join(", ")}`);
}

test("by keyboard alone", { skip }, async () => {
  const page = await tryIt(browser, server);
  const chooser = page.waitForEvent("filechooser"); // which takes a moment to be listened for
  await tabTo(page, /^Choose a file/);
  await page.keyboard.press("Enter");
  await (await chooser).setFiles(persons[2].pictures[0]);
  const faces = part(page, "Faces");
  await faces.getByText("1 face found").waitFor();
  await tabTo(page, /^Search$/);
  await page.keyboard.press("Enter");
  const search = part(page, "Search");
  await search.waitFor();
  await page.locator("h1").evaluate((e) => { e.tabIndex = -1; e.focus(); });
  await tabTo(page, /^Collection/);
  await page.keyboard.type("people");
  await search.getByText("for every face of the picture").waitFor();
  await search.getByRole("button", { name: "Search" }).and(page.locator(":enabled")).waitFor();
  await tabTo(page, /^Search$/); // the link, and then the button
  await tabTo(page, /^Search$/);
  await page.keyboard.press("Enter");
  await search.getByText("At 80").waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Search", "the focus stays where it was");
  await tabTo(page, /^Threshold/);
  await page.keyboard.press("ArrowRight");
  await search.getByText("At 80.5").waitFor();
  await page.keyboard.press("End");
  await search.getByText("At 100").waitFor();
  await page.context().close();
});

test("on a phone", { skip }, async () => {
  const page = await tryIt(browser, server, phone);
  await look(page, "tryit-phone-empty");
  await choose(page, crowd);
  await part(page, "Faces").getByText("8 faces found").waitFor();
  await look(page, "tryit-phone-faces");
  await go(page, "Search");
  await page.getByRole("combobox", { name: "Collection" }).fill("people");
  await part(page, "Search").getByRole("button", { name: "Search" }).tap();
  await part(page, "Search").getByRole("slider").fill("0");
  await part(page, "Search").getByRole("listitem").first().waitFor();
  await look(page, "tryit-phone-search");
  await go(page, "Compare");
  await choose(page, persons[0].pictures[0], part(page, "Compare"));
  await part(page, "Compare").getByText(/of the second picture/).waitFor();
  await look(page, "tryit-phone-compare");
  await go(page, "Index");
  await look(page, "tryit-phone-index");
  await page.context().close();
});

test("what a key may not do with pictures is not offered", { skip }, async (t) => {
  const parts = (page) => page.getByRole("navigation", { name: "What to do with the picture" }).getByRole("link").allTextContents();
  await t.test("a key that only reads", async () => {
    const page = await tryIt(browser, server, { key: await server.createKey("looker", "read-only") });
    await choose(page, persons[0].pictures[0]);
    await part(page, "Faces").getByText("1 face found").waitFor();
    assert.deepEqual(await parts(page), ["Faces", "Search", "Compare", "Text"]);
    await go(page, "Search");
    assert.equal(await page.getByRole("button", { name: "New collection" }).count(), 0);
    await page.context().close();
  });
  await t.test("a key for one collection", async () => {
    const policy = path.join(server.folder, "one.json");
    await writeFile(policy, JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: ["rekognition:SearchFacesByImage", "rekognition:DescribeCollection"], Resource: server.arn("people") }] }));
    const page = await open(browser, server);
    await signIn(page, await server.createKey("searcher", policy));
    assert.equal(await page.getByRole("link", { name: "Try it" }).count(), 0);
    await page.getByLabel("Name of a collection").fill("people");
    await page.getByRole("button", { name: "Open" }).click();
    await page.getByRole("link", { name: "Try it with a picture" }).click();
    await choose(page, persons[0].pictures[0]);
    await part(page, "Search").waitFor();
    assert.deepEqual(await parts(page), ["Search"]);
    await part(page, "Search").getByRole("button", { name: "Search" }).click();
    await part(page, "Search").getByRole("listitem").first().waitFor();
    await page.getByRole("combobox", { name: "Collection" }).fill("crowd");
    await page.getByText("Your key may not do this to all collections.").waitFor();
    page.check_();
    await page.context().close();
  });
});
