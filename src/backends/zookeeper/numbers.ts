/** Numbers: how ZooKeeper names requests, errors and events on the wire, and what we add to its errors. */

export const opcode = {
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  removeWatches: 18,
  createContainer: 19,
  createTtl: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  setWatches2: 105,
  addWatch: 106,
  close: -11,
  error: -1,
} as const;

export const xids = { event: -1, ping: -2, auth: -4 } as const;

/** Error codes, as the server and the package number them. */
export const code = {
  runtimeInconsistency: -2,
  connectionLoss: -4,
  marshalling: -5,
  unimplemented: -6,
  badArguments: -8,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  noChildrenForEphemerals: -108,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  invalidAcl: -114,
  authFailed: -115,
  sessionMoved: -118,
  noWatcher: -121,
  authRequired: -124,
  throttled: -127,
  /** Ours: it was given up before it was sent. */
  unsent: -10_001,
  /** Ours: no TLS with this server. */
  refusedTls: -10_002,
} as const;

/** What befell a node, as events say it. */
export const happened = { created: 1, deleted: 2, changed: 3, children: 4 } as const;

/** Which watches are meant: those of children, of data, or all. */
export const watchKind = { children: 1, data: 2, any: 3 } as const;
