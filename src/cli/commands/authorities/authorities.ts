/** `katz authorities`: the directory authorities that the daemon trusts. */
import { toHex } from "katzenpost-thinclient";
import { type ClientFlags, withClient } from "../../connect.js";

/** Lists the directory authorities in the daemon's configuration. */
export function authorities(flags: ClientFlags): Promise<void> {
  return withClient(
    flags,
    async ({ client, call, output }) => {
      const all = await client.getDirectoryAuthorities(call);
      if (all.length === 0) output.remark("the daemon lists no directory authorities");
      for (const authority of all) {
        const { identifier, pkiSignatureScheme, wireKemScheme, addresses } = authority;
        const { identityKeyHash, identityPublicKeyPem, linkPublicKeyPem } = authority;
        output.record({
          type: "authority",
          identifier,
          pkiSignatureScheme,
          wireKemScheme,
          addresses,
          identityKeyHash,
          identityPublicKeyPem,
          linkPublicKeyPem,
        });
        output.line(output.style("bold", identifier));
        output.line(`  identity   ${toHex(identityKeyHash)}`);
        output.line(`  signs      ${pkiSignatureScheme}`);
        output.line(`  link       ${wireKemScheme}`);
        for (const address of addresses) output.line(`  address    ${address}`);
      }
    },
    { online: false, revealsNothing: true },
  );
}
