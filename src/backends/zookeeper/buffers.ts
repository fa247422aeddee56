/** Buffers: ZooKeeper's encoding of numbers, strings and lists, written and read. */

/** Writes into a buffer that grows. */
export class Writer {
  private buffer: Buffer;
  /** What comes first is the length of the rest. */
  private at = 4;

  constructor(size = 256) {
    this.buffer = Buffer.allocUnsafe(size);
  }

  get length(): number {
    return this.at - 4;
  }

  int(value: number): void {
    const at = this.take(4);
    this.buffer.writeInt32BE(value, at);
  }

  long(value: bigint): void {
    const at = this.take(8);
    this.buffer.writeBigInt64BE(value, at);
  }

  flag(value: boolean): void {
    const at = this.take(1);
    this.buffer[at] = value ? 1 : 0;
  }

  text(value: string): void {
    const length = Buffer.byteLength(value);
    this.int(length);
    const at = this.take(length);
    this.buffer.write(value, at);
  }

  /** undefined is written as null, which is not the same as no bytes. */
  bytes(value: Uint8Array | undefined): void {
    if (value === undefined) return this.int(-1);
    this.int(value.length);
    const at = this.take(value.length);
    this.buffer.set(value, at);
  }

  texts(values: readonly string[]): void {
    this.int(values.length);
    for (const value of values) this.text(value);
  }

  /** What was written, with its length before it. */
  frame(): Buffer {
    this.buffer.writeInt32BE(this.at - 4, 0);
    return this.buffer.subarray(0, this.at);
  }

  private take(size: number): number {
    const { at } = this;
    const end = at + size;
    if (end > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, this.buffer.length * 2));
      this.buffer.copy(larger, 0, 0, at);
      this.buffer = larger;
    }
    this.at = end;
    return at;
  }
}

/** Reads a frame; a frame that is too short throws RangeError. */
export class Reader {
  private readonly buffer: Buffer;
  private at: number;

  constructor(buffer: Buffer, at = 0) {
    this.buffer = buffer;
    this.at = at;
  }

  get ended(): boolean {
    return this.at >= this.buffer.length;
  }

  int(): number {
    const value = this.buffer.readInt32BE(this.at);
    this.at += 4;
    return value;
  }

  long(): bigint {
    const value = this.buffer.readBigInt64BE(this.at);
    this.at += 8;
    return value;
  }

  flag(): boolean {
    return this.buffer.readUInt8(this.at++) !== 0;
  }

  text(): string {
    const length = this.int();
    if (length <= 0) return '';
    const { at } = this;
    this.skip(length);
    return this.buffer.toString('utf8', at, at + length);
  }

  /** A copy: a slice would keep the whole answer in memory. */
  bytes(): Uint8Array<ArrayBuffer> | undefined {
    const length = this.int();
    if (length < 0) return undefined;
    const { at } = this;
    this.skip(length);
    return new Uint8Array(this.buffer.subarray(at, at + length));
  }

  texts(): string[] {
    const values: string[] = [];
    for (let left = this.int(); left > 0; left--) values.push(this.text());
    return values;
  }

  private skip(length: number): void {
    this.at += length;
    if (this.at > this.buffer.length) throw new RangeError('a frame of ZooKeeper is too short');
  }
}

/** Frames of a connection: bytes come in pieces of any size, and go out as whole messages, each copied at most once. */
export class Frames {
  private pieces: Buffer[] = [];
  private have = 0;
  private need = 4;

  clear(): void {
    this.pieces = [];
    this.have = 0;
    this.need = 4;
  }

  /** The messages that are whole with this piece. */
  *take(piece: Buffer): Iterable<Buffer> {
    this.pieces.push(piece);
    this.have += piece.length;
    if (this.have < this.need) return;
    const whole = this.pieces.length === 1 ? piece : Buffer.concat(this.pieces, this.have);
    let at = 0;
    for (;;) {
      const left = whole.length - at;
      this.need = left < 4 ? 4 : 4 + whole.readInt32BE(at);
      if (left < this.need) break;
      const frame = whole.subarray(at + 4, at + this.need);
      at += this.need;
      yield frame;
    }
    this.pieces = at < whole.length ? [whole.subarray(at)] : [];
    this.have = whole.length - at;
  }
}
