/**
 * What has to happen at once, as scripts that Redis runs one at a time. Each gets a prefix for its keys, the session's id
 * and its own arguments; a change is published for those who watch.
 */

/** The keys of one session, and the refusal of writes under a lease that is no more. */
const COMMON = `
local prefix, id = ARGV[1], ARGV[2]
local head, events, places = prefix .. 'head:' .. id, prefix .. 'events:' .. id, prefix .. 'places:' .. id
local turns, turnLists = prefix .. 'turns:' .. id, prefix .. 'turn-list:' .. id .. ':'
local records = prefix .. 'records'

local function tell(kind)
	redis.call('PUBLISH', prefix .. 'changes', kind .. ' ' .. id)
end

-- Milliseconds of the server's clock, the only one that counts.
local function now()
	local time = redis.call('TIME')
	return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Takes the session out of every list it is in.
local function unlist()
	local lists = redis.call('HGET', head, 'lists')
	for _, list in ipairs(lists and cjson.decode(lists) or {}) do
		redis.call('ZREM', prefix .. list, id)
	end
end
`;

/** ARGV: input as JSON. Returns a place and 0 or 1 for each event: whether it was added. */
export const WRITE = `${COMMON}
local input = cjson.decode(ARGV[3])
if input.fence and tostring(input.fence) ~= redis.call('HGET', head, 'fence') then
	return redis.error_reply('LEASELOST somebody else has it, or nobody')
end

local last = tonumber(redis.call('HGET', head, 'lastIndex') or 0)
local result = {}
for _, event in ipairs(input.events) do
	local known = redis.call('HGET', places, event.id)
	local place = tonumber(known)
	if not known then
		local wanted = event.wanted
		if wanted and #redis.call('XRANGE', events, wanted .. '-0', wanted .. '-0') > 0 then wanted = nil end
		place = wanted or last + 1
		local later = {}
		if place < last then
			-- A stream grows only at its end: what lies behind the place is added again. Only imports come here.
			later = redis.call('XRANGE', events, place .. '-0', '+')
			local before = redis.call('XRANGE', events, '-', '(' .. place .. '-0')
			redis.call('DEL', events)
			for _, entry in ipairs(before) do redis.call('XADD', events, entry[1], unpack(entry[2])) end
		end
		redis.call('XADD', events, place .. '-0', 'id', event.id, 'json', event.json)
		for _, entry in ipairs(later) do redis.call('XADD', events, entry[1], unpack(entry[2])) end
		redis.call('HSET', places, event.id, place)
		last = math.max(last, place)
	end
	table.insert(result, place)
	table.insert(result, known and 0 or 1)
end
if #input.events > 0 then redis.call('HSET', head, 'lastIndex', last) end

for _, turn in ipairs(input.turns) do
	redis.call('HSET', turns, turn.id, turn.json)
	for _, state in ipairs(input.states) do redis.call('ZREM', turnLists .. state, turn.id) end
	redis.call('ZADD', turnLists .. turn.state, turn.createdAt, turn.id)
	redis.call('ZADD', turnLists .. 'all', turn.createdAt, turn.id)
end

if input.record then
	unlist()
	redis.call('HSET', records, id, input.record.json)
	redis.call('HSET', head, 'lists', cjson.encode(input.record.lists))
	for _, list in ipairs(input.record.lists) do redis.call('ZADD', prefix .. list, input.record.createdAt, id) end
end
tell('events')
return result
`;

/** ARGV: states as JSON. */
export const DELETE_SESSION = `${COMMON}
unlist()
redis.call('HDEL', records, id)
redis.call('DEL', head, events, places, turns)
for _, state in ipairs(cjson.decode(ARGV[3])) do redis.call('DEL', turnLists .. state) end
tell('events')
`;

/** ARGV: the last place that goes. Returns how many went. */
export const DELETE_EVENTS = `${COMMON}
local gone = redis.call('XRANGE', events, '-', ARGV[3] .. '-0')
for _, entry in ipairs(gone) do redis.call('HDEL', places, entry[2][2]) end
redis.call('XTRIM', events, 'MINID', '=', ARGV[3] + 1)
if #gone > 0 then tell('events') end
return #gone
`;

/** ARGV: owner, time to live in milliseconds, 1 to force. Returns whether it worked, and the lease that holds now. */
export const ACQUIRE = `${COMMON}
local owner, fence, expires = unpack(redis.call('HMGET', head, 'owner', 'fence', 'expires'))
local remaining = (tonumber(expires) or 0) - now()
if owner and owner ~= ARGV[3] and remaining > 0 and ARGV[5] ~= '1' then
	return { 0, owner, tonumber(fence), remaining }
end
-- One counter for all sessions, which outlives them: a lease of a deleted session stays worthless.
fence = redis.call('INCR', prefix .. 'fences')
redis.call('HSET', head, 'owner', ARGV[3], 'fence', fence, 'expires', now() + ARGV[4])
tell('lease')
return { 1, ARGV[3], fence, tonumber(ARGV[4]) }
`;

/** ARGV: owner, fence, time to live in milliseconds. */
export const RENEW = `${COMMON}
local owner, fence = unpack(redis.call('HMGET', head, 'owner', 'fence'))
if owner ~= ARGV[3] or fence ~= ARGV[4] then return redis.error_reply('LEASELOST somebody else has it, or nobody') end
redis.call('HSET', head, 'expires', now() + ARGV[5])
`;

/** ARGV: owner, fence. The fence stays: what its holder still writes counts until somebody else has the lease. */
export const RELEASE = `${COMMON}
local owner, fence = unpack(redis.call('HMGET', head, 'owner', 'fence'))
if owner ~= ARGV[3] or fence ~= ARGV[4] then return end
redis.call('HDEL', head, 'owner', 'expires')
tell('lease')
`;

/** Returns the lease that holds now, or nothing. */
export const HOLDER = `${COMMON}
local owner, fence, expires = unpack(redis.call('HMGET', head, 'owner', 'fence', 'expires'))
local remaining = (tonumber(expires) or 0) - now()
if not owner or remaining <= 0 then return nil end
return { 1, owner, tonumber(fence), remaining }
`;
