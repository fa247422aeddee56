// Curator, told what to do by lines on stdin, one answer a line. Run by Rhino, which knows Java's classes as globals.
var recipes = org.apache.curator.framework.recipes;
var retry = new org.apache.curator.retry.RetryNTimes(3, 100);
var client = org.apache.curator.framework.CuratorFrameworkFactory.newClient(arguments[0], 5000, 5000, retry);
var input = new java.io.BufferedReader(new java.io.InputStreamReader(java.lang.System['in']));
var ms = java.util.concurrent.TimeUnit.MILLISECONDS;
var mutexes = {};
var leading = {};

function mutexOf(path) {
  if (!mutexes[path]) mutexes[path] = new recipes.locks.InterProcessMutex(client, path);
  return mutexes[path];
}

function text(bytes) {
  return String(new java.lang.String(bytes, 'UTF-8'));
}

var commands = {
  acquire: function (path, wait) {
    return mutexOf(path).acquire(Number(wait), ms) ? 'acquired' : 'not acquired';
  },
  release: function (path) {
    mutexOf(path).release();
    return 'released';
  },
  // Takes part in an election; its leadership lasts until `resign`.
  elect: function (path, id) {
    var over = new java.util.concurrent.CountDownLatch(1);
    var listener = new JavaAdapter(recipes.leader.LeaderSelectorListenerAdapter, {
      takeLeadership: function () {
        print('leads ' + path);
        over.await();
      },
    });
    var selector = new recipes.leader.LeaderSelector(client, path, listener);
    selector.setId(id);
    selector.start();
    leading[path] = { over: over, selector: selector };
    return 'takes part';
  },
  leader: function (path) {
    return 'leader ' + leading[path].selector.getLeader().getId();
  },
  resign: function (path) {
    leading[path].over.countDown();
    return 'resigned';
  },
  get: function (path) {
    return 'value ' + text(client.getData().forPath(path));
  },
  put: function (path, value) {
    client.create().orSetData().creatingParentsIfNeeded().forPath(path, new java.lang.String(value).getBytes('UTF-8'));
    return 'put';
  },
  // Prints what its cache of a tree is told from now on.
  watch: function (path) {
    var listener = new JavaAdapter(recipes.cache.CuratorCacheListener, {
      event: function (type, before, after) {
        var data = after || before;
        print('event ' + type + ' ' + data.getPath() + ' ' + (after && after.getData() ? text(after.getData()) : ''));
      },
      initialized: function () {},
    });
    var cache = recipes.cache.CuratorCache.build(client, path, []);
    cache.listenable().addListener(listener);
    cache.start();
    return 'watches';
  },
};

client.start();
client.blockUntilConnected();
print('ready');
for (var line = input.readLine(); line !== null; line = input.readLine()) {
  var words = String(line).split(' ');
  try {
    print(commands[words[0]].apply(null, words.slice(1)));
  } catch (error) {
    print('failed ' + error);
  }
}
client.close();
