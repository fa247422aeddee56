/**
 * A request on its way, which can be called off.
 *
 * gRPC's own deadline costs a request a timer in each of its layers and the server another; the calls of a store share
 * one timer for all (deadline.ts), and call the request off by its handle.
 */

/** gRPC's handle of a request. */
export interface Handle {
  cancelWithStatus(status: number, details: string): void;
}

/** gRPC's number for a deadline that has passed. */
const deadlineExceeded = 4;

export class Sending {
  private handle: Handle | undefined;
  private off = false;

  /** The request was sent. */
  sent(handle: Handle): void {
    this.handle = handle;
    // It may have waited for a login all the while.
    if (this.off) this.cancel();
  }

  /** The request fails as one whose deadline has passed; what the server makes of it is unknown. */
  cancel(): void {
    this.off = true;
    this.handle?.cancelWithStatus(deadlineExceeded, 'no answer in time');
  }
}
