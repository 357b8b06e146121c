SELECT 1
--;
SELECT /*event_keys*/ Company, Source, Subject FROM event_keys WHERE JoinKey IN ('po:@CO:P$C','docno:@CO:BILL2026$C','e2e:E2E-$C','supref:@CO:S$S:RE$C','subject:/odoo/prod:account.move/$C','subject:/odoo/prod:account.payment/$C','subject:/odoo/prod:purchase.order/$C','subject:/bank/prod:pain002/$C')
--;
SELECT /*t1b*/ Company, Source, Subject FROM t1b WHERE JoinKey IN ('po:@CO:P$C','docno:@CO:BILL2026$C','e2e:E2E-$C','supref:@CO:S$S:RE$C','subject:/odoo/prod:account.move/$C','subject:/odoo/prod:account.payment/$C','subject:/odoo/prod:purchase.order/$C','subject:/bank/prod:pain002/$C')
--;
SELECT /*t1c*/ Company, Source, Subject FROM t1c WHERE JoinKey IN ('po:@CO:P$C','docno:@CO:BILL2026$C','e2e:E2E-$C','supref:@CO:S$S:RE$C','subject:/odoo/prod:account.move/$C','subject:/odoo/prod:account.payment/$C','subject:/odoo/prod:purchase.order/$C','subject:/bank/prod:pain002/$C')
--;
SELECT /*t1d*/ Company, Source, Subject FROM t1d WHERE JoinKey IN ('po:@CO:P$C','docno:@CO:BILL2026$C','e2e:E2E-$C','supref:@CO:S$S:RE$C','subject:/odoo/prod:account.move/$C','subject:/odoo/prod:account.payment/$C','subject:/odoo/prod:purchase.order/$C','subject:/bank/prod:pain002/$C')
--;
