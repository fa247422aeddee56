/** The list of free pages: in an LMDB file a tree of its own, from the transaction that freed them to what it freed. */
import type { Meta } from './meta.js';
import type { Survey } from './survey.js';

/** Takes the pages of the list, so that one which is in use as well is a fault of the survey. */
export function surveyFreeList(survey: Survey, { roots, depths }: Pick<Meta, 'roots' | 'depths'>): void {
  survey.walk({ name: 'the list of free pages', root: roots[0], depth: depths[0], numeric: true }, found => {
    const list = found.whole();
    // A count, then pages; a negative number is how many there are from the page after it on, 0 fills up.
    const count = list.length < 8 ? -1 : Number(list.readBigInt64LE(0));
    if (count < 0 || 8 * (count + 1) > list.length) {
      survey.fault('the list of free pages is damaged');
      return;
    }
    for (let at = 8; at <= 8 * count; at += 8) {
      const number = list.readBigInt64LE(at);
      if (number > 0n) survey.leave(number, 1);
      else if (number < 0n && (at += 8) <= 8 * count) survey.leave(list.readBigInt64LE(at), Number(-number));
    }
  });
}
