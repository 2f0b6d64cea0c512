/**
 * A deep copy of a value that JSON can hold. Several times faster than `structuredClone`, which matters for messages that
 * come by the ten thousand. Members that are `undefined` are kept out.
 */
export function copyJson<Value>(value: Value): Value {
	if (typeof value !== "object" || value === null) return value;
	if (Array.isArray(value)) {
		// The copy of an array of a type is an array of that type.
		return value.map(copyJson) as Value;
	}
	const copy: { [member: string]: unknown } = {};
	for (const [name, member] of Object.entries(value)) {
		if (member === undefined) continue;
		// Assignment would run the setter of this one name.
		if (name === "__proto__") Object.defineProperty(copy, name, { value: copyJson(member), enumerable: true });
		else copy[name] = copyJson(member);
	}
	return copy as Value;
}
