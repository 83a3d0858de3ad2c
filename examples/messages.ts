/** Messages without waiting: the replies come as events, told apart by their SURB IDs. */
import assert from "node:assert/strict";
import { ThinClient, toHex, utf8ToText } from "katzenpost-thinclient";
import { DevDaemon } from "katzenpost-thinclient/testing";

await using daemon = await DevDaemon.start({ listen: "tcp:127.0.0.1:0" });
await using client = await ThinClient.connect(daemon.config());

// #region send
const [destNode, destQueue] = client.getService("echo").toDestination();
const replies = client.events({ types: ["messageReply"] }); // from now on

const questions = new Map<string, string>();
for (const text of ["one", "two", "three"]) {
  const surbId = client.newSurbId(); // names the reply; never use one twice
  questions.set(toHex(surbId), text);
  await client.sendMessage(surbId, text, destNode, destQueue);
}

for await (const { surbId, payload } of replies) {
  const question = questions.get(toHex(surbId!));
  if (question === undefined) continue;
  questions.delete(toHex(surbId!));
  console.log(`${question} -> ${utf8ToText(payload.subarray(0, question.length))}`);
  if (questions.size === 0) break; // a reply may get lost: real code sets a deadline
}
// #endregion
assert.equal(questions.size, 0);
assert.equal(client.pendingCalls, 0);
