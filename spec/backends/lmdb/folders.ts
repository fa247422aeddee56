/** Folders that go away with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** `const folders = new Folders(); afterEach(() => folders.end());` */
export class Folders {
  private readonly made: string[] = [];

  /** A new folder with nothing in it. */
  fresh(): string {
    const folder = mkdtempSync(join(tmpdir(), 'rxkv-lmdb-'));
    this.made.push(folder);
    return folder;
  }

  end(): void {
    for (const folder of this.made.splice(0)) rmSync(folder, { recursive: true, force: true });
  }
}
