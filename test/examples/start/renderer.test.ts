import pico from "picocolors";
import { describe, expect, it } from "vitest";
import { Paper } from "../../../examples/start/paper.ts";
import { TurnRenderer } from "../../../examples/start/renderer.ts";
import type { Update } from "../../../examples/start/update.ts";
import { recordedTurn, sheet } from "./support.ts";

/** A turn as it is shown. */
function shown(updates: readonly Update[], columns: number, colour = false) {
	const out = sheet();
	const renderer = new TurnRenderer(new Paper({ write: out.write, columns }), pico.createColors(colour));
	for (const update of updates) renderer.show(update);
	renderer.finish();
	return { text: out.text, renderer };
}

const say = (text: string): Update => ({ sessionUpdate: "agent_message_chunk", content: { type: "text", text } });

describe("a recorded turn", () => {
	const updates = recordedTurn("mock-demo");

	it("reads well at 60 columns", async () => {
		await expect(shown(updates, 60).text).toMatchFileSnapshot("../../fixtures/turns/mock-demo-60.txt");
	});

	it("reads well at 100 columns", async () => {
		await expect(shown(updates, 100).text).toMatchFileSnapshot("../../fixtures/turns/mock-demo-100.txt");
	});

	it("has neither colours nor cursor movements where they are off", () => {
		expect(shown(updates, 60).text).not.toContain("\u001b");
	});

	it("has the same text with colours", () => {
		const escapeCode = "\u001b";
		const coloured = shown(updates, 60, true).text;
		expect(coloured).toContain(escapeCode);
		expect(coloured.replaceAll(new RegExp(`${escapeCode}\\[\\d+m`, "g"), "")).toBe(shown(updates, 60).text);
		// Colours only: nothing that moves the cursor or erases.
		expect(coloured.replaceAll(new RegExp(`${escapeCode}\\[\\d+m`, "g"), "")).not.toContain(escapeCode);
	});

	it("leaves its usage and its number of updates behind", () => {
		const { renderer } = shown(updates, 60);
		expect(renderer.usage).toEqual({ used: 1234, size: 200_000, cost: "0.0000 USD" });
		expect(renderer.count).toBe(updates.length);
	});
});

describe("TurnRenderer", () => {
	const call = (toolCallId: string, title: string): Update => ({
		sessionUpdate: "tool_call",
		toolCallId,
		title,
		status: "pending",
	});
	const end = (toolCallId: string, status: "completed" | "failed", text = ""): Update => ({
		sessionUpdate: "tool_call_update",
		toolCallId,
		status,
		content: text ? [{ type: "content", content: { type: "text", text } }] : [],
	});

	it("ends the line of a call that ends at once, and names one again that ends later", () => {
		expect(shown([call("1", "Look"), end("1", "completed")], 60).text).toBe("  ● Look ✓\n");
		expect(shown([call("1", "Look"), say("Wait."), end("1", "failed")], 60).text).toBe(
			"  ● Look\n\n  Wait.\n\n  ✗ failed Look\n",
		);
	});

	it("shows a call that was never announced", () => {
		expect(shown([end("9", "completed")], 60).text).toBe("  ✓ tool\n");
	});

	it("shortens long results and leaves fences out", () => {
		const result = `\`\`\`\n${Array.from({ length: 9 }, (_, index) => `line ${index}`).join("\n")}\n\`\`\``;
		const { text } = shown([call("1", "Run"), end("1", "completed", result)], 60);
		expect(text).toContain("line 3\n");
		expect(text).toContain("… 5 more lines");
		expect(text).not.toContain("line 4");
		expect(text).not.toContain("```");
	});

	it("shows a plan whole once, then only the steps that move", () => {
		const plan = (...statuses: ("pending" | "in_progress" | "completed")[]): Update => ({
			sessionUpdate: "plan",
			entries: statuses.map((status, index) => ({ content: `step ${index}`, priority: "medium", status })),
		});
		const { text } = shown(
			[plan("pending", "pending"), plan("in_progress", "pending"), plan("in_progress", "pending")],
			60,
		);
		expect(text).toBe("  Plan\n  · step 0\n  · step 1\n  plan ▸ step 0\n");
	});

	it("names what is not text", () => {
		const image: Update = {
			sessionUpdate: "agent_message_chunk",
			content: { type: "image", mimeType: "image/png", data: "AAAA" },
		};
		expect(shown([image], 60).text).toBe("  [image image/png, 3 bytes]\n");
	});

	it("ignores kinds that it does not know", () => {
		// A newer agent sends what this build has no type for.
		const unknown = { sessionUpdate: "brand_new", content: 1 } as unknown as Update;
		expect(shown([unknown, say("Hi.")], 60).text).toBe("  Hi.\n");
	});
});
