/**
 * Scripts of a lock's queue, in Lua: a sorted set of its contenders by fence, with the last fence as the member ''.
 */
import { clock, type Script, script } from './scripts.js';

/**
 * Enters the queue of a lock. Gives the fence; nothing where the session has ended.
 *
 * KEYS: queue, record, companion, and the session where it is in this slot. ARGV: member, value, session, its ttl,
 * ms that an empty queue remembers its last fence.
 */
export const enter: Script = script(`${clock}
local ttl = tonumber(ARGV[4])
if KEYS[4] then ttl = redis.call('PTTL', KEYS[4]) end
if ttl <= 0 then return false end
local fence = clock()
local last = tonumber(redis.call('ZSCORE', KEYS[1], '') or 0)
if last >= fence then fence = last + 1 end
fence = exact(fence)
redis.call('SET', KEYS[2], ARGV[2], 'PX', ttl)
redis.call('SET', KEYS[3], fence .. ' ' .. fence .. ' ' .. ARGV[3], 'PX', ttl)
redis.call('ZADD', KEYS[1], fence, '', fence, ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return fence`);

/**
 * Where a contender stands: {-1} where its record is gone, {0} where it holds, or {ms, predecessor} where another does,
 * ms being how long that one's record lives unless it is renewed.
 *
 * KEYS: queue, and what is before a member in its record's name. That is no key, and never there: so while the slot is
 * on its way between two nodes of a cluster, neither says of a record on the other that it is gone.
 * ARGV: the member, ms that the queue is remembered.
 */
export const place: Script = script(`
local function alive(prefix, member) return redis.call('EXISTS', prefix .. member) == 1 end
local prefix, mine = KEYS[2], ARGV[1]
if not redis.call('ZSCORE', KEYS[1], mine) or not alive(prefix, mine) then
  redis.call('ZREM', KEYS[1], mine)
  return { -1 }
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local rank = redis.call('ZRANK', KEYS[1], mine)
while rank > 0 do
  rank = rank - 1
  local member = redis.call('ZRANGE', KEYS[1], rank, rank)[1]
  if member ~= '' then
    if alive(prefix, member) then return { math.max(1, redis.call('PTTL', prefix .. member)), member } end
    redis.call('ZREM', KEYS[1], member)
  end
end
return { 0 }`);

/** The head of a queue: its member, value, fence and PTTL; nothing where nobody is there. KEYS as of place. */
export const head: Script = script(`
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if member ~= '' then
    local value = redis.call('GET', KEYS[2] .. member)
    if value then
      return { member, value, string.format('%.0f', redis.call('ZSCORE', KEYS[1], member)), math.max(1, redis.call('PTTL', KEYS[2] .. member)) }
    end
  end
end
return false`);

/** Leaves a queue. KEYS: queue, record, companion. ARGV: member. */
export const withdraw: Script = script(`
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('UNLINK', KEYS[2], KEYS[3])
return 1`);
