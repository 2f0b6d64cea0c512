import { describe, expect, it } from "vitest";
import { Progress, progressText } from "../../../examples/start/progress.ts";
import { sheet } from "./support.ts";

function setUp(isTerminal: boolean) {
	const out = sheet();
	const time = { now: 0 };
	const progress = new Progress({ write: out.write, isTerminal, columns: 40, now: () => time.now });
	const at = (now: number, message: string, bytes?: number) => {
		time.now = now;
		progress.update({ message, bytes, totalBytes: bytes === undefined ? undefined : 10_000_000 });
	};
	return { out, progress, at };
}

describe("progress", () => {
	it("is silent about what takes less than a second", () => {
		const { out, progress, at } = setUp(true);
		at(0, "uploading");
		at(900, "starting");
		progress.clear();
		expect(out.text).toBe("");
	});

	it("on a terminal is one line that goes away", () => {
		const { out, progress, at } = setUp(true);
		at(0, "pulling", 0);
		at(1500, "pulling", 1_000_000);
		at(1520, "pulling", 2_000_000);
		at(1700, "pulling", 3_000_000);
		progress.clear();
		const line = "\r\u001b[K  ";
		expect(out.text).toBe(`${line}pulling … 1.0 of 10.0 MB (10 %)${line}pulling … 3.0 of 10.0 MB (30 %)\r\u001b[K`);
	});

	it("in a file is a line per step, and one now and then, without control characters", () => {
		const { out, progress, at } = setUp(false);
		at(0, "pulling", 0);
		at(1500, "pulling", 1_000_000);
		at(3000, "pulling", 2_000_000);
		at(12_000, "pulling", 5_000_000);
		at(12_100, "starting");
		progress.clear();
		expect(out.text).toBe("  pulling … 1.0 of 10.0 MB (10 %)\n  pulling … 5.0 of 10.0 MB (50 %)\n  starting …\n");
	});

	it("never breaks the line of a narrow terminal", () => {
		const { out, at } = setUp(true);
		at(0, "x");
		at(2000, "a very long message that does not fit into the forty columns of this terminal");
		expect(out.text.replace("\r\u001b[K", "").length).toBeLessThan(40);
	});

	it("says what is known", () => {
		expect(progressText({ message: "pulling" })).toBe("pulling …");
		expect(progressText({ message: "pulling", bytes: 1_500_000 })).toBe("pulling … 1.5 MB");
	});
});
