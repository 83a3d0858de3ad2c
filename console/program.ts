/** Shows a call as a program that the reader can run. */

/** About ten lines of TypeScript that make the same kind of call. */
export function programFor(title: string): string {
  const call =
    {
      read:
        `const { readCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));\n` +
        `const { plaintext } = await client.read(readCap, firstMessageIndex);\n` +
        `console.log(utf8ToText(plaintext));`,
      write:
        `const { writeCap, firstMessageIndex } = await client.newKeypair(randomBytes(32));\n` +
        `await client.write(writeCap, firstMessageIndex, "hello");\n` +
        `console.log("stored");`,
      copy:
        `const { writeCap, firstMessageIndex: startIndex } = await client.newKeypair(randomBytes(32));\n` +
        `await client.copy(new Uint8Array(5000), [{ writeCap, startIndex }]);\n` +
        `console.log("copied");`,
    }[title] ??
    `const echo = client.getService("echo").toDestination();\n` +
      `const reply = await client.blockingSendMessage("hello", ...echo);\n` +
      `console.log(utf8ToText(reply.subarray(0, 5)));`;
  return (
    `import { ThinClient, randomBytes, utf8ToText } from "katzenpost-thinclient";\n\n` +
    `const client = await ThinClient.connect("tcp:127.0.0.1:64331");\n` +
    `try {\n${call.replace(/^/gm, "  ")}\n} finally {\n  await client.stop();\n}\n`
  );
}
