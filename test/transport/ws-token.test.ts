import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { utf8 } from "../../src/bytes/bytes.js";
import { WS_TOKEN_PREFIX, wsTokenBytes, wsTokenProtocol } from "../../src/transport/ws-token.js";

test("a token becomes its prefix and the base64url of its UTF-8 bytes", () => {
  assert.equal(WS_TOKEN_PREFIX, "katzenpost.token.");
  assert.equal(wsTokenProtocol("open sesame"), "katzenpost.token.b3BlbiBzZXNhbWU");
  assert.equal(wsTokenProtocol("ÿ>?"), "katzenpost.token.w78-Pw");
  assert.equal(wsTokenProtocol("ﾟ???>>>"), "katzenpost.token.776fPz8_Pj4-");
});

test("every token gives an HTTP token that carries its bytes", () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (token) => {
      const protocol = wsTokenProtocol(token);
      // RFC 9110 section 5.6.2.
      assert.match(protocol, /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/);
      assert.deepEqual(wsTokenBytes(protocol), utf8(token));
    }),
    { numRuns: 200 },
  );
});

test("other sub-protocols carry no token", () => {
  assert.equal(wsTokenBytes("chat"), null);
  assert.equal(wsTokenBytes("Katzenpost.token.YQ"), null);
  assert.equal(wsTokenBytes("katzenpost.token.!"), null);
  assert.equal(wsTokenBytes("katzenpost.token.A"), null);
});

test("a token must be a non-empty string", () => {
  assert.throws(() => wsTokenProtocol(""), RangeError);
  assert.throws(() => wsTokenProtocol(7 as unknown as string), TypeError);
});
