/** The service that returns its payload. */
import type { Kaetzchen, ServiceRequest } from "./kaetzchen.js";

/**
 * Answers with the payload it received, if a reply is wanted. Real networks run it as `echo`, and
 * as `testdest` for tests (spec/thin-protocol §7.5).
 */
export class EchoService implements Kaetzchen {
  readonly capability: string;
  readonly endpoint: string;

  constructor(capability = "echo", endpoint = `+${capability}`) {
    this.capability = capability;
    this.endpoint = endpoint;
  }

  handle({ payload, wantsReply }: ServiceRequest): Uint8Array | null {
    return wantsReply ? payload : null;
  }
}
