package incident

// Reason says why an incident stands where it stands. The list is closed;
// Detail tells a person the rest.
type Reason string

const (
	// While it waits.
	ReasonSettling        Reason = "settling"               // gathering evidence before judging
	ReasonBackoff         Reason = "backoff"                // the retry is due later
	ReasonPlatformRetry   Reason = "platform_retry_pending" // the platform will try again by itself
	ReasonKillSwitch      Reason = "kill_switch"
	ReasonObserving       Reason = "observing" // acting is not switched on for this action and scope
	ReasonCooldown        Reason = "cooldown"
	ReasonRateLimited     Reason = "rate_limited"
	ReasonResourceBusy    Reason = "resource_busy" // another plan is under way on the resource
	ReasonPlatformDown    Reason = "platform_unreachable"
	ReasonStorageFailing  Reason = "storage_failing"
	ReasonNoExecutor      Reason = "no_executor"       // no exporter offers the action
	ReasonSignalMissing   Reason = "signal_missing"    // verification waits for a signal that is silent
	ReasonHolding         Reason = "holding"           // all conditions hold, the window is not over
	ReasonUpstreamPending Reason = "upstream_pending"  // waits for another incident's root
	ReasonRunning         Reason = "run_in_progress"   // the job runs: slow is not broken
	ReasonNotRecovered    Reason = "not_recovered_yet" // a condition is seen not to hold

	// When it ended or went to a person.
	ReasonVerified       Reason = "verified"
	ReasonSelfHealed     Reason = "healed_by_itself"
	ReasonUnknownClass   Reason = "unknown_class"
	ReasonNotRetryable   Reason = "not_retryable"
	ReasonPolicyDenied   Reason = "policy_denied"
	ReasonPolicyError    Reason = "policy_error"
	ReasonPaused         Reason = "paused_by_person"
	ReasonActionFailed   Reason = "action_failed"
	ReasonExhausted      Reason = "options_exhausted"
	ReasonVerifyTimeout  Reason = "verification_timed_out"
	ReasonNoTarget       Reason = "no_target"
	ReasonUncertainRoot  Reason = "uncertain_root"
	ReasonSilenced       Reason = "silenced"
	ReasonOperator       Reason = "by_operator"
	ReasonOutcomeUnclear Reason = "outcome_unclear"
)
