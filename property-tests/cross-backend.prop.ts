import { describe } from 'vitest';
import { backends } from './backends.js';
import { sameEvents } from './laws/same-events.js';

describe('all embedded backends', () => {
  sameEvents(backends);
});
