import type { SessionConfigOption, SessionModeState, SessionUpdate } from "@agentclientprotocol/sdk";
import { mock } from "../definitions/mock.ts";

/** The values a client can choose, by the id of the option. */
export type MockSettings = Record<string, string>;

/** What is kept of a session, apart from its history. */
export interface MockSessionRecord {
	readonly id: string;
	readonly cwd: string;
	readonly title: string | null;
	/** ISO time. */
	readonly updatedAt: string;
	readonly settings: MockSettings;
	/** Tools the user allowed for good. */
	readonly allowedTools: readonly string[];
}

/** Description of each mode, shown by clients. */
const MODE_DESCRIPTIONS: Record<string, string> = {
	normal: "Tools that change something ask first",
	plan: "Nothing is changed; such tools only say what they would do",
};

/** The settings of a new session. */
export function defaultSettings(): MockSettings {
	return Object.fromEntries(mock.configOptions.map((option) => [option.id, option.currentValue]));
}

/** One session of the mock agent: its settings and everything it would replay. */
export class MockSession {
	readonly id: string;
	readonly cwd: string;
	title: string | null;
	updatedAt: string;
	readonly settings: MockSettings;
	readonly allowedTools: Set<string>;
	readonly history: SessionUpdate[] = [];

	constructor(record: MockSessionRecord) {
		this.id = record.id;
		this.cwd = record.cwd;
		this.title = record.title;
		this.updatedAt = record.updatedAt;
		this.settings = { ...defaultSettings(), ...record.settings };
		this.allowedTools = new Set(record.allowedTools);
	}

	get record(): MockSessionRecord {
		return {
			id: this.id,
			cwd: this.cwd,
			title: this.title,
			updatedAt: this.updatedAt,
			settings: this.settings,
			allowedTools: [...this.allowedTools],
		};
	}

	/** Whether an option has this value. */
	static offers(optionId: string, value: string): boolean {
		const option = mock.configOptions.find(({ id }) => id === optionId);
		return option?.options.some((candidate) => candidate.value === value) === true;
	}

	get configOptions(): SessionConfigOption[] {
		return mock.configOptions.map((option) => ({
			...option,
			currentValue: this.settings[option.id] ?? option.currentValue,
		}));
	}

	get modes(): SessionModeState {
		const option = mock.configOptions.find(({ category }) => category === "mode");
		return {
			currentModeId: this.settings.mode ?? "normal",
			availableModes: (option?.options ?? []).map(({ value, name }) => ({
				id: value,
				name,
				description: MODE_DESCRIPTIONS[value] ?? null,
			})),
		};
	}
}
