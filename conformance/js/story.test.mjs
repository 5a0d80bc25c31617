// The whole story with the AWS SDK for JavaScript v3: create, list in pages, index, list, search, compare, detect, delete, and the
// errors around it.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import {
  CompareFacesCommand,
  CreateCollectionCommand,
  CreateUserCommand,
  DeleteCollectionCommand,
  DeleteFacesCommand,
  DescribeCollectionCommand,
  DetectFacesCommand,
  IndexFacesCommand,
  InvalidImageFormatException,
  InvalidPaginationTokenException,
  InvalidParameterException,
  ListCollectionsCommand,
  ListFacesCommand,
  RekognitionClient,
  ResourceAlreadyExistsException,
  ResourceNotFoundException,
  SearchFacesByImageCommand,
  SearchFacesCommand,
  paginateListCollections,
  paginateListFaces,
} from "@aws-sdk/client-rekognition";

import { Server, account, credentials, region, root } from "./server.mjs";

const data = join(root, "..", "shared", "data");
const skip = existsSync(data) ? false : `the test data is missing: ${data}`;
const group = (name) => ({ Bytes: readFileSync(join(data, "group", name)) });
const lfw = (person, number) => ({ Bytes: readFileSync(join(data, "lfw", "images", person, `${person}_${String(number).padStart(4, "0")}.jpg`)) });

// Two pictures each of some people.
function people(count) {
  const pairs = new Map();
  for (const line of readFileSync(join(data, "lfw", "pairsDevTest.txt"), "utf8").split("\n").slice(1)) {
    const parts = line.split("\t");
    if (parts.length === 3 && !pairs.has(parts[0])) pairs.set(parts[0], [lfw(parts[0], parts[1]), lfw(parts[0], parts[2])]);
    if (pairs.size === count) break;
  }
  return pairs;
}

let server, client;

before(async () => {
  server = await Server.start();
  client = newClient();
});

after(async () => {
  client?.destroy();
  await server?.stop();
});

function newClient(settings) {
  return new RekognitionClient({ endpoint: server.endpoint, region, credentials, ...settings });
}

const send = (command) => client.send(command);

// Checks that a call fails with a modelled exception, and what it says.
async function refused(promise, exception, message) {
  await assert.rejects(promise, (e) => {
    assert.ok(e instanceof exception, `${e.name}: ${e.message}`);
    assert.equal(e.$metadata.httpStatusCode, 400);
    assert.equal(e.$metadata.requestId.length, 36);
    if (message) assert.equal(e.message, message);
    return true;
  });
}

// The same for errors that are not in the model.
async function failed(promise, name, message, status = 400) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.name, name);
    assert.equal(e.$metadata.httpStatusCode, status);
    assert.match(e.message, message);
    return true;
  });
}

async function withCollection(name, use) {
  await send(new CreateCollectionCommand({ CollectionId: name }));
  try {
    return await use(name);
  } finally {
    await send(new DeleteCollectionCommand({ CollectionId: name }));
  }
}

describe("collections", () => {
  test("the first call of a new user", async () => {
    const { CollectionIds, FaceModelVersions, NextToken, $metadata } = await send(new ListCollectionsCommand({}));
    assert.deepEqual([CollectionIds, FaceModelVersions, NextToken], [[], [], undefined]);
    assert.equal($metadata.httpStatusCode, 200);
    assert.equal($metadata.requestId.length, 36);
  });

  test("set up by the environment", async () => {
    const names = { AWS_ENDPOINT_URL_REKOGNITION: server.endpoint, AWS_REGION: region, AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey };
    const saved = Object.fromEntries(Object.keys(names).map((name) => [name, process.env[name]]));
    Object.assign(process.env, names);
    try {
      const own = new RekognitionClient();
      assert.deepEqual((await own.send(new ListCollectionsCommand({}))).CollectionIds, []);
      own.destroy();
    } finally {
      for (const [name, value] of Object.entries(saved)) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    }
  });

  test("create, describe, delete", async () => {
    const created = await send(new CreateCollectionCommand({ CollectionId: "a-Z_0.9" }));
    assert.equal(created.StatusCode, 200);
    assert.equal(created.CollectionArn, `aws:rekognition:${region}:${account}:collection/a-Z_0.9`);
    await refused(send(new CreateCollectionCommand({ CollectionId: "a-Z_0.9" })), ResourceAlreadyExistsException, "The collection id: a-Z_0.9 already exists");

    const described = await send(new DescribeCollectionCommand({ CollectionId: "a-Z_0.9" }));
    assert.equal(described.CollectionARN, `arn:${created.CollectionArn}`);
    assert.equal(described.FaceModelVersion, created.FaceModelVersion);
    assert.equal(described.FaceCount, 0);
    assert.equal(described.UserCount, 0);
    assert.ok(described.CreationTimestamp instanceof Date);
    assert.ok(Math.abs(described.CreationTimestamp - Date.now()) < 10_000);

    assert.equal((await send(new DeleteCollectionCommand({ CollectionId: "a-Z_0.9" }))).StatusCode, 200);
    await refused(send(new DeleteCollectionCommand({ CollectionId: "a-Z_0.9" })), ResourceNotFoundException);
    await refused(send(new DescribeCollectionCommand({ CollectionId: "a-Z_0.9" })), ResourceNotFoundException);
  });

  test("list in pages", async () => {
    const names = Array.from({ length: 13 }, (_, i) => `page-${String(i).padStart(2, "0")}`);
    for (const name of names.toReversed()) await send(new CreateCollectionCommand({ CollectionId: name }));

    const walked = [];
    for await (const page of paginateListCollections({ client, pageSize: 5 }, {})) {
      assert.equal(page.CollectionIds.length, page.FaceModelVersions.length);
      walked.push(page.CollectionIds.length, ...page.CollectionIds);
    }
    assert.deepEqual(walked, [5, ...names.slice(0, 5), 5, ...names.slice(5, 10), 3, ...names.slice(10)]);

    const first = await send(new ListCollectionsCommand({ MaxResults: 4 }));
    assert.deepEqual(first.CollectionIds, names.slice(0, 4));
    assert.ok(first.NextToken.length <= 255);
    const rest = await send(new ListCollectionsCommand({ NextToken: first.NextToken }));
    assert.deepEqual([rest.CollectionIds, rest.NextToken], [names.slice(4), undefined]);

    for (const forged of ["x", `${first.NextToken}A`, first.NextToken.slice(1), first.NextToken.replace(/.$/, (c) => (c === "A" ? "B" : "A"))]) {
      await refused(send(new ListCollectionsCommand({ NextToken: forged })), InvalidPaginationTokenException);
    }
    for (const name of names) await send(new DeleteCollectionCommand({ CollectionId: name }));
  });
});

describe("faces", { skip }, () => {
  test("group pictures", async () => {
    for (const line of readFileSync(join(data, "group", "counts.csv"), "utf8").trim().split("\n").slice(1)) {
      const [name, faces] = [line.split(",")[0], Number(line.split(",")[1])];
      if (!name.startsWith("cf_")) continue;
      await withCollection("group", async (CollectionId) => {
        const indexed = await send(new IndexFacesCommand({ CollectionId, Image: group(name), ExternalImageId: name, QualityFilter: "NONE" }));
        assert.equal(indexed.FaceRecords.length, faces, name);
        assert.deepEqual(indexed.UnindexedFaces, []);

        const listed = [];
        for await (const page of paginateListFaces({ client, pageSize: 3 }, { CollectionId })) listed.push(...page.Faces);
        assert.deepEqual(listed.map((f) => f.FaceId), indexed.FaceRecords.map((r) => r.Face.FaceId).sort());
        assert.ok(listed.every((f) => f.ExternalImageId === name && f.Confidence > 0 && f.BoundingBox.Width > 0));
        assert.equal((await send(new DescribeCollectionCommand({ CollectionId }))).FaceCount, faces);

        const detected = await send(new DetectFacesCommand({ Image: group(name) }));
        assert.deepEqual(detected.FaceDetails, indexed.FaceRecords.map((r) => r.FaceDetail));
      });
    }
  });

  test("search and compare", async () => {
    await withCollection("search", async (CollectionId) => {
      const pairs = people(8);
      const ids = new Map();
      for (const [person, [first]] of pairs) {
        const { FaceRecords } = await send(new IndexFacesCommand({ CollectionId, Image: first, ExternalImageId: person, MaxFaces: 1, QualityFilter: "NONE" }));
        ids.set(person, FaceRecords[0].Face.FaceId);
      }
      for (const [person, [first, second]] of pairs) {
        const same = await send(new SearchFacesByImageCommand({ CollectionId, Image: first }));
        assert.equal(same.FaceMatches[0].Face.FaceId, ids.get(person));
        assert.equal(same.FaceMatches[0].Similarity, 100);
        const other = await send(new SearchFacesByImageCommand({ CollectionId, Image: second }));
        assert.deepEqual(other.FaceMatches.map((m) => m.Face.ExternalImageId), [person]);
        assert.ok(other.FaceMatches[0].Similarity > 80);

        const compared = await send(new CompareFacesCommand({ SourceImage: first, TargetImage: second }));
        assert.ok(compared.FaceMatches[0].Similarity > 80);
      }

      const everyone = await send(new SearchFacesCommand({ CollectionId, FaceId: [...ids.values()][0], FaceMatchThreshold: 0 }));
      assert.deepEqual(everyone.FaceMatches.map((m) => m.Face.FaceId).sort(), [...ids.values()].slice(1).sort());
      const near = await send(new SearchFacesCommand({ CollectionId, FaceId: [...ids.values()][0] }));
      assert.deepEqual(near.FaceMatches, []);

      const [[, [one]], [, [another]]] = pairs;
      const strangers = await send(new CompareFacesCommand({ SourceImage: one, TargetImage: another }));
      assert.deepEqual(strangers.FaceMatches, []);
      assert.ok(strangers.UnmatchedFaces.length >= 1);
      const identical = await send(new CompareFacesCommand({ SourceImage: one, TargetImage: one }));
      assert.equal(identical.FaceMatches[0].Similarity, 100);
    });
  });

  test("delete faces", async () => {
    await withCollection("delete", async (CollectionId) => {
      const { FaceRecords } = await send(new IndexFacesCommand({ CollectionId, Image: group("cf_012_4.jpg"), QualityFilter: "NONE" }));
      const ids = FaceRecords.map((r) => r.Face.FaceId);
      const unknown = "00000000-0000-4000-8000-000000000000";
      const deleted = await send(new DeleteFacesCommand({ CollectionId, FaceIds: [ids[0], unknown] }));
      assert.deepEqual(deleted.DeletedFaces, [ids[0]]);
      assert.deepEqual(deleted.UnsuccessfulFaceDeletions, [{ FaceId: unknown, Reasons: ["FACE_NOT_FOUND"] }]);
      assert.deepEqual((await send(new ListFacesCommand({ CollectionId }))).Faces.map((f) => f.FaceId), ids.slice(1).sort());
      await refused(send(new SearchFacesCommand({ CollectionId, FaceId: ids[0] })), InvalidParameterException, "faceId was not found in the collection.");
    });
  });

  test("pictures that cannot be used", async () => {
    await withCollection("errors", async (CollectionId) => {
      const none = group("cf_017_0.jpg");
      await refused(send(new SearchFacesByImageCommand({ CollectionId, Image: none })), InvalidParameterException, "There are no faces in the image. Should be at least 1.");
      await refused(send(new CompareFacesCommand({ SourceImage: none, TargetImage: none })), InvalidParameterException);
      assert.deepEqual((await send(new DetectFacesCommand({ Image: none }))).FaceDetails, []);
      for (const name of readdirSync(join(data, "bad"))) {
        const Image = { Bytes: readFileSync(join(data, "bad", name)) };
        await refused(send(new DetectFacesCommand({ Image })), InvalidImageFormatException, "Request has invalid image format");
      }
      await failed(send(new DetectFacesCommand({ Image: { Bytes: new Uint8Array(5 * 2 ** 20 + 1) } })), "ValidationException", /less than or equal to 5242880/);
      await failed(send(new DetectFacesCommand({ Image: { Bytes: new Uint8Array() } })), "ValidationException", /'image\.bytes'/);
    });
  });
});

describe("errors", () => {
  test("collections that are not there", async () => {
    const missing = { CollectionId: "missing" };
    await refused(send(new ListFacesCommand(missing)), ResourceNotFoundException, "The collection id: missing does not exist");
    await refused(send(new DescribeCollectionCommand(missing)), ResourceNotFoundException);
    await refused(send(new DeleteFacesCommand({ ...missing, FaceIds: ["00000000-0000-4000-8000-000000000000"] })), ResourceNotFoundException);
  });

  test("constraints", async () => {
    await failed(send(new CreateCollectionCommand({ CollectionId: "a b" })), "ValidationException", /^1 validation error detected: Value 'a b' at 'collectionId' failed/);
    await failed(send(new ListCollectionsCommand({ MaxResults: 4097 })), "ValidationException", /less than or equal to 4096/);
  });

  test("an operation that is not built yet", async () => {
    // The first of the users' operations: an SDK shows the answer as an error of its own name.
    try {
      await send(new CreateUserCommand({ CollectionId: "missing", UserId: "user" }));
      assert.fail("there is no such collection");
    } catch (e) {
      if (e.name === "NotImplementedException") assert.equal(e.$metadata.httpStatusCode, 501);
      else assert.ok(e instanceof ResourceNotFoundException, String(e));
    }
  });

  test("wrong secret, unknown key, another region", async () => {
    const cases = [
      [{ credentials: { ...credentials, secretAccessKey: "wrong" } }, "InvalidSignatureException", /^The request signature we calculated does not match/],
      [{ credentials: { ...credentials, accessKeyId: "AKIANOBODYHASTHISKEY" } }, "UnrecognizedClientException", /^The security token included/],
      [{ credentials: { ...credentials, sessionToken: "token" } }, "UnrecognizedClientException", /^The security token included/],
      [{ region: "eu-west-1" }, "InvalidSignatureException", /valid region, not 'eu-west-1'/],
    ];
    for (const [settings, name, message] of cases) {
      const other = newClient(settings);
      await failed(other.send(new ListCollectionsCommand({})), name, message);
      other.destroy();
    }
  });
});
