/**
 * Scripts: what the server does in one step, in Lua. Whatever fails in one fails before its first write.
 *
 * The companion of a key is "revision created" or "revision created session", in decimal µs: exact in Lua's numbers.
 */
import { createHash } from 'node:crypto';

export interface Script {
  readonly source: string;
  readonly sha: string;
}

/** The server's clock in µs. */
const clock = `
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
local function exact(number) return string.format('%.0f', number) end
`;

/** A key and its companion; a value that is no string is an error of the server's. */
const look = `
local function look(name, side)
  local value = redis.pcall('GET', name)
  if type(value) == 'table' then return value, false end
  local meta = redis.pcall('GET', side)
  return value, type(meta) == 'string' and meta or false
end
local function parsed(meta)
  local revision, created, session = string.match(meta or '', '^(%d+) (%d+) ?(.*)$')
  return tonumber(revision or 0), tonumber(created or 0), session or ''
end
`;

/**
 * Reads keys, all as they are at one moment.
 *
 * KEYS: each key with its companion; the index last where what is found is to be in it. ARGV: how many keys, how many
 * of them, the first ones, are wanted with their values, and the root of an index.
 * Gives the clock, then for each key its value, companion and PTTL: -2 where there is none, -3 where it is no string.
 */
export const read: Script = script(`${clock}${look}
local answer = { exact(clock()) }
local count, wanted, root = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
for i = 1, count * 2, 2 do
  local value, meta = false, false
  if i <= wanted * 2 then value, meta = look(KEYS[i], KEYS[i + 1])
  elseif redis.call('TYPE', KEYS[i]).ok == 'string' then value = '' end
  local at = #answer
  if type(value) == 'table' then
    if string.sub(value.err, 1, 9) ~= 'WRONGTYPE' then return value end
    answer[at + 1], answer[at + 2], answer[at + 3] = false, false, -3
  elseif not value then answer[at + 1], answer[at + 2], answer[at + 3] = false, false, -2
  else
    answer[at + 1], answer[at + 2], answer[at + 3] = value, meta, redis.call('PTTL', KEYS[i])
    if root then redis.pcall('ZADD', KEYS[#KEYS], 0, string.sub(KEYS[i], #root + 1)) end
  end
end
return answer`);

/** The names below a prefix: by KEYS, or step by step for users who may not call that. */
const names = `
local function names(pattern)
  local found = redis.pcall('KEYS', pattern)
  if not found.err then return found end
  local seen, cursor = {}, '0'
  found = {}
  repeat
    local page = redis.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000)
    cursor = page[1]
    for _, name in ipairs(page[2]) do
      if not seen[name] then
        seen[name] = true
        found[#found + 1] = name
      end
    end
  until cursor == '0'
  return found
end
local function indexed(index, prefix, most)
  local from, to = '-', '+'
  if prefix ~= '' then
    from = '[' .. prefix
    to = '(' .. string.sub(prefix, 1, -2) .. '0'
  end
  if most then return redis.call('ZRANGEBYLEX', index, from, to, 'LIMIT', 0, most) end
  return redis.call('ZRANGEBYLEX', index, from, to)
end
`;

/**
 * Lists what is below a prefix, all as it is at one moment; false where that would keep others waiting.
 *
 * KEYS: the index, or any key of the slot. ARGV: the pattern, the root, the prefix below it, what stands before and
 * after a key in its companion's name, what is before our own records, whether there is an index, the depth or '',
 * whether values are wanted, and how many keys the database, names and bytes of values the answer may have.
 * Gives the clock, then for each name as `read` does, the name before it; PTTL is -4 where it lies deeper.
 */
export const list: Script = script(`${clock}${look}${names}
local pattern, root, prefix, before, after, own, index, depth, values, mostKeys, most, mostBytes = unpack(ARGV)
most, mostBytes = tonumber(most), tonumber(mostBytes)
local found
if index == '1' then
  found = indexed(KEYS[1], prefix, most + 1)
  if #found > most then return false end
  for i, name in ipairs(found) do found[i] = root .. name end
else
  if redis.call('DBSIZE') > tonumber(mostKeys) then return false end
  found = names(pattern)
end
local answer = { exact(clock()) }
local bytes, from = 0, #root + #prefix + 1
for _, name in ipairs(found) do
  if prefix ~= '' or string.sub(name, 1, #own) ~= own then
    local at = #answer
    if at >= most * 4 then return false end
    local deeper = false
    if depth ~= '' then
      local _, slashes = string.gsub(string.sub(name, from), '/', '')
      deeper = slashes >= tonumber(depth)
    end
    local value, meta, left = false, false, -4
    if not deeper then
      if values == '1' then value, meta = look(name, before .. name .. after)
      elseif redis.call('TYPE', name).ok == 'string' then value = '' end
      if type(value) == 'table' then
        if string.sub(value.err, 1, 9) ~= 'WRONGTYPE' then return value end
        value, meta, left = false, false, -3
      elseif value then
        bytes = bytes + #value
        if bytes > mostBytes then return false end
        left = redis.call('PTTL', name)
      else left = -2 end
    end
    answer[at + 1], answer[at + 2], answer[at + 3], answer[at + 4] = name, value, meta, left
  end
end
return answer`);

/**
 * Carries out writes, one after the other; each with its checks, all or nothing.
 *
 * KEYS: for each check and each op the key and its companion, for a put on a session the session, for a tree any key
 * of the slot; the index last. ARGV: the root, what stands before and after a key in its companion's name, what is
 * before our own records, whether there is an index, the number of writes; then for each the number of checks, the
 * checks, the number of ops, the ops.
 *
 * Each answer is {0, results...}, {1, failed checks...}, {2} where a session has ended, {3, the server's words}.
 */
export const commit: Script = script(`${clock}${look}${names}
local k, a = 0, 0
local function key() k = k + 1 return KEYS[k] end
local function arg() a = a + 1 return ARGV[a] end
local root, before, after, own, indexing = arg(), arg(), arg(), arg(), arg() == '1'
local index = KEYS[#KEYS]
local now = clock()
local function ours(name) return string.sub(name, 1, #own) == own end

local function check(at, failed)
  local name, side, kind = key(), key(), arg()
  local value, meta = look(name, side)
  local there = type(value) == 'string'
  local revision, created = parsed(meta)
  local met
  if kind == 'absent' then met = not there
  elseif kind == 'held' then met = exact(created) == arg() and there
  else
    local wanted, sum = arg(), arg()
    met = there and exact(revision) == wanted and redis.sha1hex(value) == sum
  end
  if not met then failed[#failed + 1] = { at, there and value, meta, there and redis.call('PTTL', name) or -2 } end
end

local function planned()
  local op = { kind = arg() }
  if op.kind == 'tree' then
    op.slot, op.pattern, op.prefix = key(), arg(), arg()
    return op
  end
  op.name, op.side = key(), key()
  op.there, op.meta = look(op.name, op.side)
  op.revision, op.created = parsed(op.meta)
  if op.kind == 'put' then
    op.value, op.ttl, op.session = arg(), arg(), arg()
    if op.session ~= '' and op.ttl == '' then op.ttl = redis.call('PTTL', key()) end
  end
  return op
end

local function put(op, revision)
  local created = op.there and op.created or revision
  local meta = exact(revision) .. ' ' .. exact(created)
  if op.session ~= '' then meta = meta .. ' ' .. op.session end
  local leased = op.ttl ~= ''
  local result
  if op.ttl == 'keep' then
    result = redis.pcall('SET', op.name, op.value, 'KEEPTTL')
    if result.err then return result end
    local left = redis.call('PTTL', op.name)
    leased = left >= 0
    if leased then redis.call('SET', op.side, meta, 'PX', math.max(1, left))
    else redis.call('SET', op.side, meta) end
  elseif leased then
    result = redis.pcall('SET', op.name, op.value, 'PX', op.ttl)
    if result.err then return result end
    redis.call('SET', op.side, meta, 'PX', op.ttl)
  else
    -- One command: a log of several is a transaction, which a server of 7.0 whose default user is off refuses to load.
    result = redis.pcall('MSET', op.name, op.value, op.side, meta)
    if result.err then return result end
  end
  if indexing and not ours(op.name) then redis.call('ZADD', index, 0, string.sub(op.name, #root + 1)) end
  return exact(revision) .. ' ' .. exact(created) .. (leased and ' 1' or ' 0')
end

local function remove(name, side)
  redis.call('UNLINK', name, side)
  if indexing and not ours(name) then redis.call('ZREM', index, string.sub(name, #root + 1)) end
end

local function fell(op)
  local found, count = nil, 0
  local indexed_too = indexing and not ours(root .. op.prefix)
  if indexed_too then
    found = indexed(index, op.prefix)
    for i, name in ipairs(found) do found[i] = root .. name end
  else found = names(op.pattern) end
  for _, name in ipairs(found) do
    if op.prefix == '' and ours(name) then
    elseif redis.call('TYPE', name).ok == 'string' then
      remove(name, before .. name .. after)
      count = count + 1
    elseif indexed_too then redis.call('ZREM', index, string.sub(name, #root + 1)) end
  end
  return count
end

local function write()
  local failed, ops, problem = {}, {}, nil
  for i = 1, tonumber(arg()) do check(i, failed) end
  for i = 1, tonumber(arg()) do ops[i] = planned() end
  if #failed > 0 then return { 1, unpack(failed) } end
  local revision = now
  for _, op in ipairs(ops) do
    if op.kind ~= 'tree' then
      if type(op.there) == 'table' and (op.kind == 'put' or string.sub(op.there.err, 1, 9) ~= 'WRONGTYPE') then return { 3, op.there.err } end
      if type(op.ttl) == 'number' and op.ttl <= 0 then return { 2 } end
      if op.revision >= revision then revision = op.revision + 1 end
    end
  end
  local answer = { 0 }
  for i, op in ipairs(ops) do
    if op.kind == 'put' then
      answer[i + 1] = put(op, revision)
      if type(answer[i + 1]) == 'table' then return { 3, answer[i + 1].err } end
    end
  end
  for i, op in ipairs(ops) do
    if op.kind == 'delete' then
      local there = type(op.there) == 'string'
      if there then remove(op.name, op.side) end
      answer[i + 1] = there and 1 or 0
    elseif op.kind == 'tree' then answer[i + 1] = fell(op) end
  end
  return answer
end

local answers = {}
for i = 1, tonumber(arg()) do answers[i] = write() end
return answers`);

/** Whether a key is still what a session put there; somebody else may have written it since, with or without rxkv. */
const owned = `
local function owned(name, side, session, sum)
  local value, meta = look(name, side)
  if type(value) ~= 'string' then return false end
  local _, _, owner = parsed(meta)
  return owner == session and redis.sha1hex(value) == sum
end
`;

/** Counts anew the ttl of what a session put. KEYS: each key with its companion. ARGV: session, ttl, a sum for each. */
export const renew: Script = script(`${look}${owned}
for i = 1, #KEYS, 2 do
  if owned(KEYS[i], KEYS[i + 1], ARGV[1], ARGV[(i + 1) / 2 + 2]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[2])
    redis.call('PEXPIRE', KEYS[i + 1], ARGV[2])
  end
end
return 1`);

/** Deletes what a session put. KEYS: each key with its companion, then the index. ARGV: session, the root, whether there is an index, a sum for each. */
export const release: Script = script(`${look}${owned}
for i = 1, #KEYS - 1, 2 do
  if owned(KEYS[i], KEYS[i + 1], ARGV[1], ARGV[(i + 1) / 2 + 3]) then
    redis.call('UNLINK', KEYS[i], KEYS[i + 1])
    if ARGV[3] == '1' then redis.call('ZREM', KEYS[#KEYS], string.sub(KEYS[i], #ARGV[2] + 1)) end
  end
end
return 1`);

/** Takes names off the index that have no key any more. KEYS: the index, the keys. ARGV: the root. */
export const prune: Script = script(`
for i = 2, #KEYS do
  if redis.call('EXISTS', KEYS[i]) == 0 then redis.call('ZREM', KEYS[1], string.sub(KEYS[i], #ARGV[1] + 1)) end
end
return 1`);

/**
 * Enters the queue of a lock, which is a sorted set of its contenders by fence, with the last fence as the member ''.
 * Gives the fence; nothing where the session has ended.
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
 * KEYS: queue. ARGV: what is before a member in its record's name, the member, ms that the queue is remembered.
 */
export const place: Script = script(`
local function alive(prefix, member) return redis.call('EXISTS', prefix .. member) == 1 end
local prefix, mine = ARGV[1], ARGV[2]
if not redis.call('ZSCORE', KEYS[1], mine) or not alive(prefix, mine) then
  redis.call('ZREM', KEYS[1], mine)
  return { -1 }
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
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

/** The head of a queue: its member, value, fence and PTTL; nothing where nobody is there. KEYS and ARGV as of place. */
export const head: Script = script(`
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if member ~= '' then
    local value = redis.call('GET', ARGV[1] .. member)
    if value then
      return { member, value, string.format('%.0f', redis.call('ZSCORE', KEYS[1], member)), math.max(1, redis.call('PTTL', ARGV[1] .. member)) }
    end
  end
end
return false`);

/** Leaves a queue. KEYS: queue, record, companion. ARGV: member. */
export const withdraw: Script = script(`
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('UNLINK', KEYS[2], KEYS[3])
return 1`);

/** What a value's bytes are called in scripts. */
export function sumOf(value: Uint8Array): string {
  return createHash('sha1').update(value).digest('hex');
}

function script(source: string): Script {
  const text = source.trim();
  return { source: text, sha: createHash('sha1').update(text).digest('hex') };
}
