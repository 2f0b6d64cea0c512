/**
 * A deep copy of a value that JSON can hold. Many times faster than `structuredClone`, which matters for messages that
 * come by the ten thousand. Members that are `undefined` are kept out.
 */
export function copyJson<Value>(value: Value): Value {
	if (typeof value !== "object" || value === null) return value;
	if (Array.isArray(value)) {
		// The copy of an array of a type is an array of that type.
		return value.map(copyJson) as Value;
	}
	// One step for the members that need no copy of their own, which are most.
	// Which members an object of a generic type has, the compiler cannot know.
	const copy = { ...(value as { [member: string]: unknown }) };
	for (const name in copy) {
		const member = copy[name];
		if (member === undefined) delete copy[name];
		else if (typeof member === "object" && member !== null) replace(copy, name, copyJson(member));
	}
	return copy as Value;
}

function replace(target: { [member: string]: unknown }, name: string, value: unknown): void {
	// Assignment would run the setter of this one name.
	if (name === "__proto__") Object.defineProperty(target, name, { value });
	else target[name] = value;
}
