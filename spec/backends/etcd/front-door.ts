/** How a user comes to a driver of etcd, and what the driver has made of it. */
import { parseAddress } from '../../../src/address.js';
import { type Settings, settingsOf } from '../../../src/backends/etcd/options.js';
import { optionsIn } from '../../../src/backends/etcd/url.js';

export { createStore } from '../../../src/index.js';

/** The settings that a URL comes to. */
export function open(url: string): Settings {
  return settingsOf(optionsIn(parseAddress(url)));
}
