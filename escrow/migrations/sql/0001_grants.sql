-- The application may read the books and post through post_batch; it cannot write a balance, an entry, a line, an
-- object or an event by itself.
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON FUNCTION post_batch(jsonb) TO escrow_app;
GRANT USAGE ON SCHEMA public TO escrow_app;
GRANT SELECT ON platform_day, account, request, recipe, recipe_rule, entry, entry_line, business_object, event,
    deadline, consent, basis_use, bank_line TO escrow_app;
GRANT INSERT ON platform_day, consent, bank_line TO escrow_app;
GRANT UPDATE (day, opened_at) ON platform_day TO escrow_app;
GRANT UPDATE (voided_at, outcome) ON consent TO escrow_app;
