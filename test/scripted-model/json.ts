/** A JSON object whose members are not known. */
export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as an object; an empty one where it is none. */
export function toObject(value: unknown): JsonObject {
	return isObject(value) ? value : {};
}

/** The objects of a list; none where the value is no list. */
export function toObjects(value: unknown): JsonObject[] {
	return Array.isArray(value) ? value.filter(isObject) : [];
}

export function toText(value: unknown): string {
	return typeof value === "string" ? value : "";
}

/** The text of a message's content, which is a text or a list of parts with texts. */
export function contentText(content: unknown): string {
	if (typeof content === "string") return content;
	return toObjects(content)
		.map((part) => toText(part.text))
		.filter((text) => text !== "")
		.join("\n");
}

/** The smallest value that a JSON schema admits: first choice, required members only, "scripted" for texts. */
export function smallestValue(schema: JsonObject): unknown {
	if ("const" in schema) return schema.const;
	if (Array.isArray(schema.enum)) return schema.enum[0];
	const [choice] = toObjects(schema.anyOf ?? schema.oneOf);
	if (choice) return smallestValue(choice);
	const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
	switch (type) {
		case "string":
			return "scripted";
		case "number":
		case "integer":
			return typeof schema.minimum === "number" ? schema.minimum : 0;
		case "boolean":
			return false;
		case "array":
			return [];
		case "null":
			return null;
		default: {
			const properties = toObject(schema.properties);
			const names = Array.isArray(schema.required) ? schema.required.filter((name) => typeof name === "string") : [];
			return Object.fromEntries(names.map((name) => [name, smallestValue(toObject(properties[name]))]));
		}
	}
}
