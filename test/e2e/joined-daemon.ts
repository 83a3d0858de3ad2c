/** A separate daemon that joins an embedded network through its gateway's port, over TCP. */
import { realClock } from "../../src/clock/real.js";
import { pigeonholeSizesOf } from "../../src/pki/pigeonhole-sizes.js";
import { x25519Nike } from "../../src/crypto/nike/x25519.js";
import { Daemon } from "../../src/daemon/daemon.js";
import { gatewayDialer } from "../../src/gateway/dial.js";
import { GatewayLink, type GatewayLinkOptions } from "../../src/gateway/gateway-link.js";
import { x25519Kem } from "../../src/kem/x25519.js";
import { type Timing, upstreamTiming } from "../../src/mixnet/timing.js";
import { PigeonholeGeometry } from "../../src/pki/pigeonhole-geometry.js";
import { decodePublicKeyPem } from "../../src/pki/pem.js";
import type { DevDaemon } from "../../src/testing/dev-daemon.js";
import { NikeSchemes } from "../../src/network/nike-schemes.js";
import { memoryPair } from "../../src/transport/memory.js";
import type { Transport } from "../../src/transport/transport.js";

/**
 * Rates at which a test never waits long for a tick. With decoys the test would compute all the
 * time.
 */
export const quickRates = { mu: 0.5, lambdaP: 0.1, lambdaL: 0, lambdaR: 1 };

/**
 * Waits for a test that reads what it has just written. Nothing gets lost, and repeated packets
 * would only make a busy machine busier.
 */
export const quickTiming: Partial<Timing> = {
  resendMs: 20_000,
  followUpMs: { first: 5, longest: 50 },
  courierRedispatchMs: 20,
  courierCacheMs: 1000,
};

/** A link to the gateway of an embedded network. */
function linkTo(network: DevDaemon, options: Partial<GatewayLinkOptions> = {}): GatewayLink {
  const gateway = network.gateway!;
  const keyOf = (pem: string) => decodePublicKeyPem(pem).publicKey;
  return new GatewayLink({
    clock: realClock,
    kem: x25519Kem,
    pinned: [
      {
        name: gateway.name,
        identityKey: keyOf(gateway.identityPublicKeyPem),
        linkKey: keyOf(gateway.linkPublicKeyPem),
        addresses: new Map([["tcp", gateway.addresses]]),
      },
    ],
    geometry: network.network.geometry,
    authorities: network.network.authorities.map(({ identityPublicKeyPem }) => ({
      publicKey: keyOf(identityPublicKeyPem),
    })),
    periodMs: network.network.epoch().periodMs,
    dial: gatewayDialer(),
    ...options,
  });
}

/** A daemon whose link goes through the gateway's port. */
export class JoinedDaemon implements AsyncDisposable {
  readonly link: GatewayLink;
  readonly daemon: Daemon;
  readonly faults: Error[] = [];
  readonly #schemes = new NikeSchemes(realClock);

  constructor(network: DevDaemon, timing: Partial<Timing> = quickTiming) {
    this.link = linkTo(network);
    const { geometry } = network.network;
    const pigeonholeGeometry = PigeonholeGeometry.fromSphinx(geometry, "x25519");
    this.daemon = new Daemon({
      link: this.link,
      decoys: false,
      clock: realClock,
      timing: { ...upstreamTiming, ...timing },
      geometry,
      pigeonholeGeometry,
      sizes: pigeonholeSizesOf(pigeonholeGeometry),
      scheme: x25519Nike,
      voucherScheme: this.#schemes.named("CTIDH1024-X25519"),
      authorities: network.network.authorities,
      onFault: (error) => void this.faults.push(error),
    });
  }

  /** The `dial` option of a client. */
  readonly dial = async (): Promise<Transport> => {
    const [near, far] = memoryPair();
    this.daemon.serve(far);
    return near;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon.close();
    this.#schemes.close();
  }
}
