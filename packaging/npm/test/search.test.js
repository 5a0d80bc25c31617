// What a user of the package writes.
import { readFile } from "node:fs/promises";
import { CreateCollectionCommand, IndexFacesCommand, RekognitionClient, SearchFacesByImageCommand } from "@aws-sdk/client-rekognition";
import { Server } from "recollect-test";
import { expect, test } from "vitest";

const picture = async (person, number) => ({ Bytes: await readFile(`${process.env.PICTURES}/${person}/${person}_000${number}.jpg`) });

async function index(client) {
  const ids = [];
  await client.send(new CreateCollectionCommand({ CollectionId: "people" }));
  for (const number of [1, 2]) {
    const { FaceRecords } = await client.send(new IndexFacesCommand({
      CollectionId: "people", MaxFaces: 1, ExternalImageId: "Aaron_Peirsol", Image: await picture("Aaron_Peirsol", number),
    }));
    ids.push(FaceRecords[0].Face.FaceId);
  }
  return ids;
}

test("the server of the run is that of every client", async () => {
  const client = new RekognitionClient();
  await index(client);
  const { FaceMatches } = await client.send(new SearchFacesByImageCommand({ CollectionId: "people", Image: await picture("Aaron_Peirsol", 3) }));
  expect(FaceMatches.map((match) => match.Face.ExternalImageId)).toEqual(["Aaron_Peirsol", "Aaron_Peirsol"]);
});

test("ids repeat with the seed, and a server of one's own is apart", async () => {
  const ids = [];
  for (const seed of [7, 7, 8]) {
    const server = await Server.start({ seed });
    try {
      expect(server.url).not.toBe(process.env.AWS_ENDPOINT_URL_REKOGNITION);
      ids.push(await index(new RekognitionClient(server.clientConfig())));
    } finally {
      await server.stop();
      await server.stop();
    }
  }
  expect(ids[1]).toEqual(ids[0]);
  expect(ids[2]).not.toEqual(ids[0]);
});

test("a server that does not start says why", async () => {
  await expect(Server.start({ flags: ["--nonsense"] })).rejects.toThrow("unknown flag: --nonsense");
});
