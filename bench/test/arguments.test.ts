import { describe, expect, it } from "vitest";
import { parseArguments } from "../src/arguments.ts";
import { WORKLOADS } from "../src/workloads/all.ts";

const names = (argv: string[]) => parseArguments(argv, WORKLOADS).workloads.map((workload) => workload.name);

describe("parseArguments", () => {
	it("takes every workload when none is named, and keeps their order otherwise", () => {
		expect(names([])).toEqual(WORKLOADS.map((workload) => workload.name));
		expect(names(["--", "flood", "start"])).toEqual(["start", "flood"]);
	});

	it("names the choices when a workload is unknown", () => {
		expect(() => names(["flod"])).toThrow(/unknown workload "flod": choose from start, /);
	});

	it.each(["0", "-1", "1.5", "many"])("refuses --rounds=%s", (value) => {
		expect(() => parseArguments([`--rounds=${value}`], WORKLOADS)).toThrow(/--rounds/);
	});

	it("reads rounds, contestants and the form of the output", () => {
		const parsed = parseArguments(["--rounds", "3", "--json", "--only", "ours,limit"], WORKLOADS);
		expect(parsed).toMatchObject({ rounds: 3, json: true, only: ["ours", "limit"] });
	});
});
