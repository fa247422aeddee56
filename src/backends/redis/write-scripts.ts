/** Scripts that write, in Lua. What fails in a transaction fails before its first write. */
import { clock, look, names, type Script, script } from './scripts.js';

/** As {@link puts} for one key. KEYS: the key, its companion. ARGV: the value. */
export const put: Script = script(`
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'string' and kind ~= 'none' then return false end
local time = redis.call('TIME')
local revision, created = time[1] * 1000000 + time[2], '0'
local meta = redis.call('GET', KEYS[2])
if meta then
  local last, first = string.match(meta, '^(%d+) (%d+)')
  last, created = tonumber(last or 0), first or '0'
  if last >= revision then revision = last + 1 end
end
revision = string.format('%.0f', revision)
meta = revision .. ' ' .. (kind == 'none' and revision or created)
redis.call('MSET', KEYS[1], ARGV[1], KEYS[2], meta)
return meta`);

/**
 * Puts without a check, a ttl or a session, which most are. KEYS: the keys, then their companions. ARGV: the values.
 * Gives for each what its companion holds, or false where the key is no string.
 *
 * Written by one command: several in a log are a transaction, which a server whose default user is off may refuse to
 * load (redis/redis#14541).
 */
export const puts: Script = script(`${clock}
local now, count = clock(), #ARGV
local metas = redis.call('MGET', unpack(KEYS, count + 1))
local latest, written, answer = {}, {}, {}
for i = 1, count do
  local name, side = KEYS[i], KEYS[count + i]
  local meta, there = latest[name], true
  if not meta then
    local kind = redis.call('TYPE', name).ok
    meta, there = metas[i], kind ~= 'none'
    if there and kind ~= 'string' then meta = nil end
  end
  if meta == nil then answer[i] = false
  else
    local last, created = string.match(meta or '', '^(%d+) (%d+)')
    last = tonumber(last or 0)
    local revision = exact(last >= now and last + 1 or now)
    meta = revision .. ' ' .. (there and (created or '0') or revision)
    latest[name], answer[i] = meta, meta
    local at = #written
    written[at + 1], written[at + 2], written[at + 3], written[at + 4] = name, ARGV[i], side, meta
  end
end
if #written > 0 then redis.call('MSET', unpack(written)) end
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
  -- The clock stands still in a script, and a deletion takes with it what the key's revision was.
  now = revision + 1
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
