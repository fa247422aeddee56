/**
 * Scripts: what the server does in one step, in Lua. Writing is in write-scripts.ts, locks are in lock-scripts.ts.
 *
 * The companion of a key is "revision created" or "revision created session", in decimal µs: exact in Lua's numbers.
 */
import { createHash } from 'node:crypto';

export interface Script {
  readonly source: string;
  readonly sha: string;
}

/** The server's clock in µs. */
export const clock: string = `
local function clock()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
local function exact(number) return string.format('%.0f', number) end
`;

/** A key and its companion; a value that is no string is an error of the server's. */
export const look: string = `
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
 * Gives a value and a companion for each key, then a PTTL for each (-2 where there is none, -3 where it is no string),
 * then the clock.
 */
export const read: Script = script(`${clock}
local count, wanted, root = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local answer = wanted > 0 and redis.call('MGET', unpack(KEYS, 1, wanted * 2)) or {}
for i = 1, count do
  local name, at = KEYS[i * 2 - 1], count * 2 + i
  if i > wanted then
    answer[i * 2 - 1] = redis.call('TYPE', name).ok == 'string' and ''
    answer[i * 2] = false
  end
  local left = redis.call('PTTL', name)
  if answer[i * 2 - 1] then
    answer[at] = left
    if root then redis.pcall('ZADD', KEYS[#KEYS], 0, string.sub(name, #root + 1)) end
  else answer[at] = left == -2 and -2 or -3 end
end
answer[count * 3 + 1] = exact(clock())
return answer`);

/** Reads one key: its value, companion and PTTL, which is not -2 where it is no string. KEYS: the key, its companion. */
export const get: Script = script(`
local answer = redis.call('MGET', KEYS[1], KEYS[2])
answer[3] = redis.call('PTTL', KEYS[1])
return answer`);

/** The names below a prefix: by KEYS, or step by step for users who may not call that. */
export const names: string = `
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

/** What a value's bytes are called in scripts. */
export function sumOf(value: Uint8Array): string {
  return createHash('sha1').update(value).digest('hex');
}

export function script(source: string): Script {
  const text = source.trim();
  return { source: text, sha: createHash('sha1').update(text).digest('hex') };
}
