/** The package has no types. What we use of it is declared in package.ts; here stands only that it can be imported. */
declare module 'node-zookeeper-client' {
  const zookeeper: unknown;
  export default zookeeper;
}
declare module 'node-zookeeper-client/lib/ConnectionManager.js' {
  const manager: unknown;
  export default manager;
}
declare module 'node-zookeeper-client/lib/jute/index.js' {
  const jute: unknown;
  export default jute;
}
